import type { StoreKey, Unsubscribe } from "../store.ts";
import { Listeners } from "./listeners.ts";
import type { RedisDriver, RedisSubscriber } from "./redis-driver.ts";

/** How often to ask for the revisions although nothing was told, in milliseconds: it finds a subscription that was lost. */
const usualHeartbeatMs = 30_000;

/** What the watch asks of the store. */
export interface WatchedServer {
  readonly driver: RedisDriver;
  channel(key: StoreKey): string;
  /** 0 when the session is gone. */
  revision(key: StoreKey): Promise<number>;
}

/**
 * Tells listeners of commits by anyone: each session has a channel, subscribed to while somebody watches it, over a
 * connection of our own. What happened before the subscription held is found by reading the revision after it.
 */
export class RedisWatch {
  readonly #server: WatchedServer;
  readonly #listeners = new Listeners();
  readonly #keys = new Map<string, StoreKey>();
  readonly #heartbeatMs: number;
  #subscriber: RedisSubscriber | null = null;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(server: WatchedServer, heartbeatMs: number = usualHeartbeatMs) {
    this.#server = server;
    this.#heartbeatMs = heartbeatMs;
  }

  add(key: StoreKey, listener: (rev: number) => void): Unsubscribe {
    const channel = this.#server.channel(key);
    const subscriber = this.#open();
    if (!this.#keys.has(channel)) {
      this.#keys.set(channel, key);
      void this.#subscribe(subscriber, channel, key);
    }
    return this.#listeners.add(key, listener, () => {
      this.#keys.delete(channel);
      // One that is not connected has nothing to unsubscribe from.
      subscriber.unsubscribe(channel).catch(() => undefined);
      if (this.#listeners.size === 0) void this.stop();
    });
  }

  /** Answers when nothing is subscribed to any more. */
  async stop(): Promise<void> {
    clearInterval(this.#heartbeat);
    this.#listeners.clear();
    this.#keys.clear();
    const subscriber = this.#subscriber;
    this.#subscriber = null;
    await subscriber?.close();
  }

  #open(): RedisSubscriber {
    if (this.#subscriber) return this.#subscriber;
    this.#subscriber = this.#server.driver.subscriber({
      message: (channel, message) => {
        const key = this.#keys.get(channel);
        if (key !== undefined) this.#listeners.tell(key, Number(message));
      },
      reconnected: () => this.#lookAtAll(),
    });
    // Not anew with each session that is watched: on a busy server it would never come.
    this.#heartbeat = setInterval(() => this.#lookAtAll(), this.#heartbeatMs).unref();
    return this.#subscriber;
  }

  async #subscribe(subscriber: RedisSubscriber, channel: string, key: StoreKey): Promise<void> {
    try {
      await subscriber.subscribe(channel);
    } catch {
      // The server is down, and whoever reads hears of it. The client subscribes again on its own when it is back, or
      // else the heartbeat tells.
    }
    await this.#look(key);
  }

  async #look(key: StoreKey): Promise<void> {
    try {
      await this.#listeners.look([key], async () => new Map([[key, await this.#server.revision(key)]]));
    } catch {
      // As above.
    }
  }

  #lookAtAll(): void {
    for (const key of this.#keys.values()) void this.#look(key);
  }
}
