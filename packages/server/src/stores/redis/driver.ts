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

export type Command = readonly [name: string, ...args: string[]];

/** A connection that hears what is published. */
export interface RedisSubscriber {
  /** Answers when the subscription holds. `anew`: after a reconnect, whether it held before or not. */
  subscribe(channel: string, anew?: boolean): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  /** Leaves no subscription behind, nor a connection of our own. */
  close(): Promise<unknown> | undefined;
}

/** What a subscriber reports. */
interface Hearing {
  message(channel: string, message: string): void;
  /** It is connected, for the first time or anew: messages may be missing, and subscriptions too. */
  reconnected(): void;
  /** It will not connect any more. */
  ended(): void;
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
  /**
   * Sends two commands over one connection to the master that holds the key, the second right behind the first, and
   * answers both. Absent: the client has no way to say which connection.
   */
  readonly sendBoth?: (key: string, first: Command, second: Command) => Promise<[unknown, unknown]>;
  /** Sends a command that is about no key to every master. */
  sendToAll(command: Command): Promise<PromiseSettledResult<unknown>[]>;
  subscriber(hearing: Hearing): RedisSubscriber;
}
