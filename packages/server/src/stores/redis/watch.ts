import { after, type Cancel, every } from "@catnap/shared";
import { Listeners } from "../listeners.ts";
import type { StoreKey, Unsubscribe } from "../store.ts";
import type { RedisDriver, RedisSubscriber } from "./driver.ts";
import { translate } from "./errors.ts";
import type { RedisNotices } from "./notices.ts";

/** How often to ask for the revisions although nothing was told, in milliseconds: it finds a subscription that was lost. */
const usualHeartbeatMs = 30_000;

/** How long to wait before a subscription that has failed is tried again, in milliseconds. */
const retryMs = 500;

/** What the watch asks of the store. */
export interface WatchedServer {
  readonly driver: RedisDriver;
  readonly notices: RedisNotices;
  channel(key: StoreKey): string;
  /** 0 when the session is gone. */
  revision(key: StoreKey): Promise<number>;
}

/**
 * Tells listeners of commits by anyone: each session has a channel, subscribed to while somebody watches it, over a
 * connection of our own. What happened before the subscription held is found by reading the revision after it.
 *
 * Nothing is left to the client: a subscription that fails is tried again, and all are made anew when a connection is. A
 * client may be told to subscribe no more after an outage, to refuse commands while it has no connection, or to give up.
 */
export class RedisWatch {
  readonly #server: WatchedServer;
  readonly #listeners = new Listeners();
  readonly #keys = new Map<string, StoreKey>();
  /** Channels whose subscription has failed. */
  readonly #missing = new Set<string>();
  readonly #heartbeatMs: number;
  #subscriber: RedisSubscriber | null = null;
  #heartbeat: Cancel | undefined;
  #retry: Cancel | undefined;

  constructor(server: WatchedServer, heartbeatMs: number = usualHeartbeatMs) {
    this.#server = server;
    this.#heartbeatMs = heartbeatMs;
  }

  add(key: StoreKey, listener: (rev: number) => void): Unsubscribe {
    const channel = this.#server.channel(key);
    if (!this.#keys.has(channel)) {
      this.#keys.set(channel, key);
      void this.#subscribe(channel, key);
    }
    return this.#listeners.add(key, listener, () => {
      this.#keys.delete(channel);
      this.#missing.delete(channel);
      // One that is not connected has nothing to unsubscribe from.
      this.#subscriber?.unsubscribe(channel).catch(() => undefined);
      if (this.#listeners.size === 0) void this.stop();
    });
  }

  /** Answers when nothing is subscribed to any more. */
  async stop(): Promise<void> {
    this.#heartbeat?.();
    this.#retry?.();
    this.#heartbeat = undefined;
    this.#retry = undefined;
    this.#listeners.clear();
    this.#keys.clear();
    this.#missing.clear();
    const subscriber = this.#subscriber;
    this.#subscriber = null;
    await subscriber?.close();
  }

  #open(): RedisSubscriber {
    if (this.#subscriber) return this.#subscriber;
    const subscriber = this.#server.driver.subscriber({
      message: (channel, message) => {
        const key = this.#keys.get(channel);
        if (key === undefined) return;
        if (/^\d{1,16}$/.test(message)) this.#listeners.tell(key, Number(message));
        // Somebody else's words on this channel: the session itself says what there is.
        else void this.#look(key);
      },
      reconnected: () => {
        for (const [channel, key] of this.#keys) void this.#subscribe(channel, key, true);
      },
      ended: () => {
        if (this.#subscriber !== subscriber) return;
        this.#subscriber = null;
        for (const channel of this.#keys.keys()) this.#missing.add(channel);
        this.#mendSoon();
      },
    });
    this.#subscriber = subscriber;
    // Not anew with each session that is watched: on a busy server it would never come.
    this.#heartbeat ??= every(this.#heartbeatMs, () => {
      this.#mend();
      for (const key of this.#keys.values()) void this.#look(key);
    });
    return subscriber;
  }

  async #subscribe(channel: string, key: StoreKey, anew = false): Promise<void> {
    try {
      await this.#open().subscribe(channel, anew);
    } catch (error) {
      // Nobody may watch it any more.
      if (this.#keys.has(channel)) this.#fail(channel, error);
      return;
    }
    await this.#look(key);
  }

  #fail(channel: string, cause: unknown): void {
    this.#missing.add(channel);
    const error = translate(cause);
    if (error.code !== "STORE_UNUSABLE") return this.#mendSoon();
    // No haste: somebody has to see to it. Until then the heartbeat finds what is new.
    this.#server.notices.tell(`live updates come late, every ${this.#heartbeatMs / 1000} s: ${error.message}`);
  }

  #mendSoon(): void {
    this.#retry ??= after(retryMs, () => this.#mend(), true);
  }

  /** Tries again what has failed. */
  #mend(): void {
    this.#retry?.();
    this.#retry = undefined;
    const missing = [...this.#missing];
    this.#missing.clear();
    for (const channel of missing) {
      const key = this.#keys.get(channel);
      if (key !== undefined) void this.#subscribe(channel, key);
    }
  }

  async #look(key: StoreKey): Promise<void> {
    try {
      await this.#listeners.look([key], async () => new Map([[key, await this.#server.revision(key)]]));
    } catch {
      // The server is down, or the session cannot be read: whoever reads it hears of that, and the heartbeat looks again.
    }
  }
}
