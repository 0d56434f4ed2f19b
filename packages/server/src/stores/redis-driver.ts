import { setMaxListeners } from "node:events";
import { SessionError } from "@catnap/shared";

/** What `redisStore` asks of a client of ioredis: `Redis`, with or without Sentinel, or `Cluster`. */
export interface IoredisClient {
  readonly status: string;
  readonly isCluster: boolean;
  call(command: string, ...args: string[]): Promise<unknown>;
  duplicate(...overrides: never[]): unknown;
}

/** What `redisStore` asks of a client of `redis` (node-redis): of `createClient`, `createSentinel` or `createCluster`. */
export interface NodeRedisClient {
  readonly isReady: boolean;
  readonly isOpen: boolean;
  sendCommand(...args: never[]): Promise<unknown>;
  duplicate(...overrides: never[]): unknown;
}

/** A client of either library. */
export type RedisClient = IoredisClient | NodeRedisClient;

type Command = readonly [name: string, ...args: string[]];

/** A connection that hears what is published. */
export interface RedisSubscriber {
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  close(): void;
}

/** What a subscriber reports: a message, and that it is connected anew and may have missed some. */
interface Hearing {
  message(channel: string, message: string): void;
  reconnected(): void;
}

/** The few things that the store does with a client, whatever library it is of. */
export interface RedisDriver {
  /** Whether channels belong to slots, as in a cluster. */
  readonly sharded: boolean;
  /** Whether the client may send a command again that it has sent before. */
  readonly repeats: boolean;
  state(): "ready" | "connecting" | "closed";
  /** Sends a command to the master that holds the key. */
  send(key: string, command: Command): Promise<unknown>;
  /** Sends two commands over one connection, the second right behind the first, and answers both. */
  sendBoth(key: string, first: Command, second: Command): Promise<[unknown, unknown]>;
  subscriber(hearing: Hearing): RedisSubscriber;
}

/**
 * Knows a client by what it can do; callers wait for a command at most so many milliseconds. Throws `INVALID_OPTION` for
 * one that it does not know.
 */
export function driverOf(client: RedisClient, timeoutMs: number): RedisDriver {
  if ("call" in client && typeof client.call === "function") return ofIoredis(client as unknown as Ioredis);
  if ("sendCommand" in client && typeof client.sendCommand === "function") {
    if ("nodeClient" in client) return ofNodeCluster(client as unknown as NodeCluster, queueing(timeoutMs));
    if ("acquire" in client) return ofNodeSentinel(client as unknown as NodeSentinel, queueing(timeoutMs));
    if ("isReady" in client) return ofNodeClient(client as unknown as NodeClient, queueing(timeoutMs));
  }
  throw new SessionError("INVALID_OPTION", "redisStore: pass a client of ioredis or of redis (node-redis)");
}

// The two libraries type their methods by every command's overloads. What follows is what of them is used; the
// assertions above rest on the method by which a client was known.

type Outcome = [error: Error | null, reply: unknown];

interface Ioredis extends IoredisClient {
  readonly options: { scaleReads?: unknown };
  pipeline(commands: readonly Command[]): { exec(): Promise<Outcome[] | null> };
  duplicate(nodes?: [], options?: { shardedSubscribers: true }): IoredisSubscriber;
}

interface IoredisSubscriber {
  on(event: "message" | "smessage", listener: (channel: string, message: string) => void): unknown;
  on(event: "ready", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  ssubscribe(channel: string): Promise<unknown>;
  sunsubscribe(channel: string): Promise<unknown>;
  disconnect(): void;
}

/** ioredis knows where a command's keys are, and which method of a pipeline it is, by its name in lower case. */
const lowered = ([name, ...args]: Command): Command => [name.toLowerCase(), ...args];

function ofIoredis(client: Ioredis): RedisDriver {
  const sharded = client.isCluster;
  if (sharded && (client.options.scaleReads ?? "master") !== "master") {
    throw new SessionError(
      "INVALID_OPTION",
      'redisStore: a cluster client with scaleReads reads what replicas have not heard of yet: leave it at "master"',
    );
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
    async sendBoth(_key, first, second) {
      const outcomes = (await client.pipeline([first, second].map(lowered)).exec()) ?? [];
      const [one, two] = outcomes.map(([error, reply]) => {
        if (error) throw error;
        return reply;
      });
      return [one, two];
    },
    subscriber(hearing) {
      const own = sharded ? client.duplicate([], { shardedSubscribers: true }) : client.duplicate();
      own.on("error", () => undefined);
      own.on("ready", () => hearing.reconnected());
      own.on(sharded ? "smessage" : "message", (channel, message) => hearing.message(channel, message));
      return {
        subscribe: (channel) => (sharded ? own.ssubscribe(channel) : own.subscribe(channel)),
        unsubscribe: (channel) => (sharded ? own.sunsubscribe(channel) : own.unsubscribe(channel)),
        close: () => own.disconnect(),
      };
    },
  };
}

type HearsMessage = (message: string, channel: string) => void;

interface NodeEmitter {
  readonly isReady: boolean;
  readonly isOpen: boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "ready", listener: () => void): unknown;
}

/** How a command is sent: not at all once the signal aborts. */
interface Queueing {
  readonly timeout: undefined;
  readonly abortSignal: AbortSignal;
}

interface NodeClient extends NodeEmitter {
  sendCommand(command: Command, options: Queueing): Promise<unknown>;
  duplicate(): NodeClient;
  connect(): Promise<unknown>;
  destroy(): void;
  subscribe(channel: string, listener: HearsMessage): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
}

const tickMs = 100;

/**
 * A command that its caller has given up must not be sent much later, when a stalled server comes back. The library sees
 * to that by a timer and a signal for each command, which cost as much as the command; here all of a tick share one, in
 * place of what the client's own `commandOptions` say of it.
 */
function queueing(timeoutMs: number): () => Queueing {
  let options: Queueing | undefined;
  let since = 0;
  return () => {
    const now = performance.now();
    if (!options || now - since > tickMs) {
      const abortSignal = AbortSignal.timeout(Math.ceil(timeoutMs) + tickMs);
      setMaxListeners(0, abortSignal);
      options = { timeout: undefined, abortSignal };
      since = now;
    }
    return options;
  };
}

const guarded = new WeakSet<NodeEmitter>();

/** A lost connection is an event which, unheard, would end the process. */
function guard(client: NodeEmitter): void {
  if (guarded.has(client)) return;
  guarded.add(client);
  client.on("error", () => undefined);
}

function stateOf(client: NodeEmitter) {
  if (!client.isOpen) return "closed";
  return client.isReady ? "ready" : "connecting";
}

function ofNodeClient(client: NodeClient, options: () => Queueing): RedisDriver {
  guard(client);
  return {
    sharded: false,
    repeats: false,
    state: () => stateOf(client),
    send: (_key, command) => client.sendCommand(command, options()),
    sendBoth: (_key, first, second) =>
      Promise.all([client.sendCommand(first, options()), client.sendCommand(second, options())]),
    subscriber(hearing) {
      const own = client.duplicate();
      guard(own);
      own.on("ready", () => hearing.reconnected());
      const connected = own.connect();
      connected.catch(() => undefined);
      return {
        subscribe: (channel) =>
          connected.then(() => own.subscribe(channel, (text, from) => hearing.message(from, text))),
        unsubscribe: (channel) => connected.then(() => own.unsubscribe(channel)),
        close: () => own.destroy(),
      };
    },
  };
}

interface NodeSentinel extends NodeEmitter {
  sendCommand(isReadonly: boolean, command: Command, options: Queueing): Promise<unknown>;
  use<T>(work: (client: NodeSentinel) => Promise<T>): Promise<T>;
  subscribe(channel: string, listener: HearsMessage): Promise<unknown>;
  unsubscribe(channel: string, listener: HearsMessage): Promise<unknown>;
}

function ofNodeSentinel(client: NodeSentinel, options: () => Queueing): RedisDriver {
  guard(client);
  return {
    sharded: false,
    repeats: true,
    state: () => stateOf(client),
    send: (_key, command) => client.sendCommand(false, command, options()),
    sendBoth: (_key, first, second) =>
      client.use((one) =>
        Promise.all([one.sendCommand(false, first, options()), one.sendCommand(false, second, options())]),
      ),
    // It keeps a connection of its own for what it has subscribed to, and finds the next master with it.
    subscriber({ message }) {
      const hear: HearsMessage = (text, channel) => message(channel, text);
      return {
        subscribe: (channel) => client.subscribe(channel, hear),
        unsubscribe: (channel) => client.unsubscribe(channel, hear),
        close: () => undefined,
      };
    },
  };
}

interface NodeCluster extends NodeEmitter {
  sendCommand(key: string, isReadonly: boolean, command: Command, options: Queueing): Promise<unknown>;
  sSubscribe(channel: string, listener: HearsMessage): Promise<unknown>;
  sUnsubscribe(channel: string, listener: HearsMessage): Promise<unknown>;
}

function ofNodeCluster(client: NodeCluster, options: () => Queueing): RedisDriver {
  guard(client);
  return {
    sharded: true,
    repeats: false,
    state: () => stateOf(client),
    send: (key, command) => client.sendCommand(key, false, command, options()),
    sendBoth: (key, first, second) =>
      Promise.all([
        client.sendCommand(key, false, first, options()),
        client.sendCommand(key, false, second, options()),
      ]),
    subscriber({ message }) {
      const hear: HearsMessage = (text, channel) => message(channel, text);
      return {
        subscribe: (channel) => client.sSubscribe(channel, hear),
        unsubscribe: (channel) => client.sUnsubscribe(channel, hear),
        close: () => undefined,
      };
    },
  };
}

/** The first word of what a server answers in place of a reply: Redis's error code. */
export function codeOf(error: unknown): string {
  return error instanceof Error ? (/^[A-Z]+/.exec(error.message)?.[0] ?? "") : "";
}

/** After these no retry helps: somebody has to see to the server. */
const unusable: Readonly<Record<string, string>> = {
  WRONGTYPE: "holds something else under this prefix: name another one",
  NOAUTH: "wants a password: see to the client's settings",
  WRONGPASS: "refuses this password: see to the client's settings",
  NOPERM: "refuses this user: allow it the commands, keys and channels of this prefix",
};

const passing: Readonly<Record<string, string>> = {
  READONLY: "is a replica and takes no writes: let the client find the master",
  OOM: "has no memory left: give it more, or make sessions shorter",
  MISCONF: "cannot save to its disk and takes no writes: see to the disk",
  NOREPLICAS: "has too few replicas to take writes: see to them",
  CLUSTERDOWN: "has slots that nobody serves: see to the cluster",
  LOADING: "is loading its data: try again",
  MASTERDOWN: "has lost its master: wait for the failover",
  BUSY: "is busy with a script: see to it",
};

/** What a client threw, as the contract has it. The client's error is the `cause`. */
export function translate(error: unknown): SessionError {
  if (error instanceof SessionError) return error;
  const code = codeOf(error);
  const remedy = unusable[code];
  if (remedy !== undefined) {
    return new SessionError("STORE_UNUSABLE", `The session server ${remedy}`, { cause: error });
  }
  const words =
    passing[code] ?? "could not be reached: make sure that it is up and the client finds it; the cause says why";
  return new SessionError("STORE_UNAVAILABLE", `The session server ${words}`, { cause: error });
}
