import type { StoreKey, Unsubscribe } from "../store.ts";
import { within } from "./deadline.ts";
import { Listeners } from "./listeners.ts";
import { database } from "./postgres-calls.ts";
import type { PostgresConnection, PostgresPool } from "./postgres-pool.ts";

/** How often to ask for the revisions although nothing was told, in milliseconds: it finds a connection that is dead without saying so. */
const heartbeatMs = 10_000;
const shortestRetryMs = 50;
const longestRetryMs = 5_000;

/** What the watch asks of the store. */
export interface WatchedDatabase {
  readonly pool: PostgresPool;
  readonly channel: string;
  /** How long a connection may take, and until it listens. */
  readonly timeoutMs: number;
  /** The revisions of these sessions, over this connection; those that are gone are missing. Rejects when it takes too long. */
  revisions(connection: PostgresConnection, keys: readonly StoreKey[]): Promise<ReadonlyMap<StoreKey, number>>;
}

/**
 * Tells listeners of commits by anyone, over one connection that LISTENs while somebody watches. Whenever that
 * connection is new, the revisions are read once it listens, so that nothing falls between.
 */
export class PostgresWatch {
  readonly #database: WatchedDatabase;
  readonly #listeners = new Listeners();
  /** The connection that listens, or is on its way to; `null` while nobody watches. */
  #connecting: AbortController | null = null;

  constructor(database: WatchedDatabase) {
    this.#database = database;
  }

  add(key: StoreKey, listener: (rev: number) => void): Unsubscribe {
    const leave = this.#listeners.add(key, listener, () => {
      if (this.#listeners.size === 0) this.#hangUp();
    });
    if (!this.#connecting) {
      this.#connecting = new AbortController();
      void this.#listen(this.#connecting.signal);
    }
    return leave;
  }

  stop(): void {
    this.#listeners.clear();
    this.#hangUp();
  }

  #hangUp(): void {
    this.#connecting?.abort();
    this.#connecting = null;
  }

  /** Listens until the signal says that nobody watches, over one connection after another. */
  async #listen(left: AbortSignal): Promise<void> {
    let retryMs = shortestRetryMs;
    while (!left.aborted) {
      try {
        // A host that has vanished says nothing, not even that it has.
        const connecting = this.#database.pool.connect();
        const connection = await within(this.#database.timeoutMs, database, connecting, (late) => late.release());
        await this.#follow(connection, left, () => {
          retryMs = shortestRetryMs;
        });
      } catch {
        // The database is down, and whoever reads hears of it. Here it is only to be tried again.
      }
      await pause(retryMs, left);
      retryMs = Math.min(retryMs * 2, longestRetryMs);
    }
  }

  async #follow(connection: PostgresConnection, left: AbortSignal, heard: () => void): Promise<void> {
    const { channel, timeoutMs, revisions } = this.#database;
    const broken = new AbortController();
    connection.on("error", () => broken.abort());
    connection.on("end", () => broken.abort());
    connection.on("notification", (message) => {
      if (message.channel === channel) this.#hear(message.payload ?? "");
    });
    const over = AbortSignal.any([left, broken.signal]);
    try {
      await within(timeoutMs, database, connection.query({ text: `LISTEN "${channel}"` }));
      while (!over.aborted) {
        const keys = this.#listeners.keys();
        await this.#listeners.look(keys, () => revisions(connection, keys));
        heard();
        await pause(heartbeatMs, over);
      }
    } finally {
      // It listens, so it is no use to others.
      connection.release(true);
    }
  }

  #hear(payload: string): void {
    const [key, rev] = payload.split(" ");
    if (key !== undefined && rev !== undefined) this.#listeners.tell(key, Number(rev));
  }
}

/** Resolves after so many milliseconds, or at once when the signal says so. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    timer.unref();
    signal.addEventListener("abort", end);
  });
}
