import { SessionError } from "@catnap/shared";
import type { Command, IoredisClient, RedisDriver } from "./driver.ts";
import { codeOf, redirections } from "./errors.ts";

type Outcome = [error: Error | null, reply: unknown];

interface Pipelining {
  pipeline(commands: readonly Command[]): { exec(): Promise<Outcome[] | null> };
}

/** What is used of the library. */
export interface Ioredis extends IoredisClient, Pipelining {
  readonly options?: Options & { readonly redisOptions?: Options };
  duplicate(
    ...settings: [SubscriberSettings] | [nodes: [], SubscriberSettings & { shardedSubscribers: true }]
  ): IoredisSubscriber;
  /** Of a cluster. */
  nodes?(role: "master"): IoredisNode[];
}

interface IoredisNode extends Pipelining, Pick<IoredisClient, "call"> {
  readonly options: { host?: string; port?: number };
}

interface Options {
  readonly keyPrefix?: string;
  readonly role?: string;
  readonly scaleReads?: unknown;
}

/** In place of what the app has for its own client: subscriptions wait for a connection, and the store makes them anew. */
interface SubscriberSettings {
  readonly enableOfflineQueue: true;
  readonly autoResubscribe: false;
}

interface IoredisSubscriber {
  on(event: "message" | "smessage", listener: (channel: string, message: string) => void): unknown;
  on(event: "ready" | "subscribersReady" | "end", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  ssubscribe(channel: string): Promise<unknown>;
  sunsubscribe(channel: string): Promise<unknown>;
  disconnect(): void;
}

/** ioredis knows where a command's keys are, and which method of a pipeline it is, by its name in lower case. */
const lowered = ([name, ...args]: Command): Command => [name.toLowerCase(), ...args];

/** Refuses clients whose settings would part what is written from what is read or heard. */
function check({ options = {} }: Ioredis): void {
  const invalid = (message: string) => new SessionError("INVALID_OPTION", `redisStore: ${message}`);
  if (options.keyPrefix || options.redisOptions?.keyPrefix) {
    throw invalid(
      "a client with keyPrefix would not hear of commits: pass one without it, and the prefix as redisStore's own option",
    );
  }
  if (options.role === "slave" || options.redisOptions?.role === "slave") {
    throw invalid('a client with role "slave" reads what the master knows better, and cannot write: leave it out');
  }
  if ((options.scaleReads ?? "master") !== "master") {
    throw invalid('a cluster client with scaleReads reads what replicas have not heard of yet: leave it at "master"');
  }
}

export function ofIoredis(client: Ioredis): RedisDriver {
  check(client);
  const sharded = client.isCluster;

  async function exec(on: Pipelining, commands: readonly Command[]): Promise<unknown[]> {
    const outcomes = (await on.pipeline(commands.map(lowered)).exec()) ?? [];
    return outcomes.map(([error, reply]) => {
      if (error) throw error;
      return reply;
    });
  }

  /** Pipelines of a cluster go to the master that had the slot last; they are not sent again when one command succeeds. */
  async function sendBoth(key: string, first: Command, second: Command): Promise<[unknown, unknown]> {
    for (let tries = 1; ; tries++) {
      try {
        const [one, two] = await exec(client, [first, second]);
        return [one, two];
      } catch (error) {
        const code = codeOf(error);
        if (!sharded || tries >= redirections || !(code === "MOVED" || code === "ASK")) throw error;
        if (code === "MOVED") {
          // A lone command is led on by the client, which learns the way by it.
          await client.call("hget", key, "m");
          continue;
        }
        const address = (error as Error).message.split(" ")[2];
        const node = client.nodes?.("master").find(({ options }) => `${options.host}:${options.port}` === address);
        if (!node) throw error;
        const [, one, two] = await exec(node, [["ASKING"], first, second]);
        return [one, two];
      }
    }
  }

  return {
    sharded,
    repeats: true,
    state() {
      if (client.status === "end" || client.status === "close")
        return client.status === "end" ? "closed" : "connecting";
      // One that is lazy connects with its first command.
      return client.status === "ready" || client.status === "wait" ? "ready" : "connecting";
    },
    send: (_key, command) => client.call(...lowered(command)),
    sendBoth,
    sendToAll(command) {
      const masters = sharded ? (client.nodes?.("master") ?? []) : [client];
      return Promise.allSettled(masters.map((master) => master.call(...lowered(command))));
    },
    subscriber(hearing) {
      const settings = { enableOfflineQueue: true, autoResubscribe: false } as const;
      const own = sharded
        ? client.duplicate([], { ...settings, shardedSubscribers: true })
        : client.duplicate(settings);
      own.on("error", () => undefined);
      own.on("ready", () => hearing.reconnected());
      // Of one master's connection, after an outage of that alone.
      own.on("subscribersReady", () => hearing.reconnected());
      own.on("end", () => hearing.ended());
      own.on(sharded ? "smessage" : "message", (channel, message) => hearing.message(channel, message));
      return {
        subscribe: (channel) => (sharded ? own.ssubscribe(channel) : own.subscribe(channel)),
        unsubscribe: (channel) => (sharded ? own.sunsubscribe(channel) : own.unsubscribe(channel)),
        close() {
          own.disconnect();
          return undefined;
        },
      };
    },
  };
}
