import { setMaxListeners } from "node:events";
import type { Command, RedisDriver } from "./driver.ts";
import { codeOf, redirections } from "./errors.ts";
import { sharing } from "./shared-subscriber.ts";

type HearsMessage = (message: string, channel: string) => void;

interface NodeEmitter {
  readonly isReady: boolean;
  readonly isOpen: boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "ready" | "node-ready", listener: () => void): unknown;
  off(event: "ready" | "node-ready", listener: () => void): unknown;
}

/** How a command is sent: not at all once the signal aborts, and answered in the library's own types. */
interface Queueing {
  readonly timeout: undefined;
  readonly abortSignal: AbortSignal;
  readonly typeMapping: Readonly<Record<string, never>>;
}

interface NodeSender {
  sendCommand(command: Command, options: Queueing): Promise<unknown>;
}

/** What is used of `createClient`'s. */
export interface NodeClient extends NodeEmitter, NodeSender {
  duplicate(): NodeClient;
  connect(): Promise<unknown>;
  destroy(): void;
  subscribe(channel: string, listener: HearsMessage): Promise<unknown>;
  unsubscribe(channel: string, listener: HearsMessage): Promise<unknown>;
}

const tickMs = 100;

/**
 * A command that its caller has given up must not be sent much later, when a stalled server comes back. The library sees
 * to that by a timer and a signal for each command, which cost as much as the command; here all of a tick share one, in
 * place of what the client's own `commandOptions` say of it. Nor does the store take Buffers, which an app may have asked
 * for with them.
 */
export function queueing(timeoutMs: number): () => Queueing {
  let options: Queueing | undefined;
  let since = 0;
  return () => {
    const now = performance.now();
    if (!options || now - since > tickMs) {
      const abortSignal = AbortSignal.timeout(Math.ceil(timeoutMs) + tickMs);
      setMaxListeners(0, abortSignal);
      options = { timeout: undefined, abortSignal, typeMapping: {} };
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

export function ofNodeClient(client: NodeClient, options: () => Queueing): RedisDriver {
  guard(client);
  return {
    sharded: false,
    repeats: false,
    state: () => stateOf(client),
    send: (_key, command) => client.sendCommand(command, options()),
    sendBoth: (_key, first, second) =>
      Promise.all([client.sendCommand(first, options()), client.sendCommand(second, options())]),
    sendToAll: (command) => Promise.allSettled([client.sendCommand(command, options())]),
    subscriber(hearing) {
      const own = client.duplicate();
      const hear: HearsMessage = (text, channel) => hearing.message(channel, text);
      // It has given up when it is not even open: `reconnectStrategy` said so.
      own.on("error", () => own.isOpen || hearing.ended());
      own.on("ready", () => hearing.reconnected());
      const connected = own.connect();
      connected.catch(() => hearing.ended());
      return {
        subscribe: (channel) => connected.then(() => own.subscribe(channel, hear)),
        unsubscribe: (channel) => connected.then(() => own.unsubscribe(channel, hear)),
        close() {
          if (own.isOpen) own.destroy();
          return undefined;
        },
      };
    },
  };
}

/** What is used of `createSentinel`'s. */
export interface NodeSentinel extends NodeEmitter {
  sendCommand(isReadonly: boolean, command: Command, options: Queueing): Promise<unknown>;
  use<T>(work: (client: NodeSentinel) => Promise<T>): Promise<T>;
  subscribe(channel: string, listener: HearsMessage): Promise<unknown>;
  unsubscribe(channel: string, listener: HearsMessage): Promise<unknown>;
}

export function ofNodeSentinel(client: NodeSentinel, options: () => Queueing): RedisDriver {
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
    sendToAll: (command) => Promise.allSettled([client.sendCommand(false, command, options())]),
    // It keeps a connection of its own for what it has subscribed to, and is ready anew with the next master; but when it
    // has tried to reach the dead one meanwhile, it has forgotten the channels.
    subscriber({ message, reconnected }) {
      const hear: HearsMessage = (text, channel) => message(channel, text);
      const { close, ...shared } = sharing(
        (channel) => client.subscribe(channel, hear),
        (channel) => client.unsubscribe(channel, hear),
      );
      client.on("ready", reconnected);
      return {
        ...shared,
        close() {
          client.off("ready", reconnected);
          return close();
        },
      };
    },
  };
}

/** What is used of `createCluster`'s. */
export interface NodeCluster extends NodeEmitter {
  sendCommand(key: string, isReadonly: boolean, command: Command, options: Queueing): Promise<unknown>;
  sSubscribe(channel: string, listener: HearsMessage): Promise<unknown>;
  sUnsubscribe(channel: string, listener: HearsMessage): Promise<unknown>;
  /** Older ones have no such list. */
  readonly masters?: readonly unknown[];
  readonly nodeByAddress: { get(address: string): unknown };
  nodeClient(node: unknown): NodeSender | Promise<NodeSender>;
  /** Older ones have no such method. */
  getNodeClientForKey?(key: string, isReadonly: boolean): Promise<NodeSender>;
}

export function ofNodeCluster(client: NodeCluster, options: () => Queueing): RedisDriver {
  guard(client);

  /** The cluster's own way would send the two apart, and lead on the first alone when the slot has moved. */
  async function sendBoth(key: string, first: Command, second: Command): Promise<[unknown, unknown]> {
    for (let tries = 1; ; tries++) {
      const node = await client.getNodeClientForKey?.(key, false);
      if (!node) throw new Error("unreachable");
      try {
        return await Promise.all([node.sendCommand(first, options()), node.sendCommand(second, options())]);
      } catch (error) {
        const code = codeOf(error);
        if (tries >= redirections || !(code === "MOVED" || code === "ASK")) throw error;
        if (code === "MOVED") {
          // A lone command is led on by the client, which learns the way by it.
          await client.sendCommand(key, false, ["HGET", key, "m"], options());
          continue;
        }
        const next = client.nodeByAddress.get((error as Error).message.split(" ")[2] ?? "");
        if (!next) throw error;
        const asked = await client.nodeClient(next);
        const commands: Command[] = [["ASKING"], first, second];
        const [, one, two] = await Promise.all(commands.map((command) => asked.sendCommand(command, options())));
        return [one, two];
      }
    }
  }

  return {
    sharded: true,
    repeats: false,
    state: () => stateOf(client),
    send: (key, command) => client.sendCommand(key, false, command, options()),
    ...(client.getNodeClientForKey && { sendBoth }),
    sendToAll(command) {
      const send = async (master: unknown) => (await client.nodeClient(master)).sendCommand(command, options());
      return Promise.allSettled((client.masters ?? []).map(send));
    },
    // Each master has a connection of its own for what is subscribed to there.
    subscriber({ message, reconnected }) {
      const hear: HearsMessage = (text, channel) => message(channel, text);
      const { close, ...shared } = sharing(
        (channel) => client.sSubscribe(channel, hear),
        (channel) => client.sUnsubscribe(channel, hear),
      );
      client.on("node-ready", reconnected);
      return {
        ...shared,
        close() {
          client.off("node-ready", reconnected);
          return close();
        },
      };
    },
  };
}
