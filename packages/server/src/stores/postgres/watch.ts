import { randomUUID } from "node:crypto";
import { after } from "@catnap/shared";
import { within } from "../deadline.ts";
import { Listeners } from "../listeners.ts";
import type { StoreKey, Unsubscribe } from "../store.ts";
import { borrow, database } from "./calls.ts";
import { translate } from "./errors.ts";
import { givePlaceBack, takePlace } from "./places.ts";
import type { PostgresConnection, PostgresPool } from "./pool.ts";
import { toNews } from "./replies.ts";

/** How often to ask for the revisions although nothing was told, in milliseconds: it finds a connection that is dead without saying so. */
const heartbeatMs = 10_000;
/** How often to ask for them while nothing is known to tell us. */
const askMs = 1_000;
const shortestRetryMs = 50;
const longestRetryMs = 5_000;
/** How long LISTEN may fail before the operator is told. A shorter outage needs no line of its own: calls reject meanwhile. */
const patienceMs = 10_000;
/** How many notifications to ourselves are lost before the operator is told. From then on one is sent every `looksBetweenTries` looks. */
const mostLost = 3;
const looksBetweenTries = 60;

const remedy = "listen: new Pool({ … }) with the address of the database itself and max: 1";

/** What the watch asks of the store. */
export interface WatchedDatabase {
  /** Where the connection that LISTENs comes from. */
  readonly pool: PostgresPool;
  /** Whether the store's calls go over that pool, too. */
  readonly shared: boolean;
  readonly channel: string;
  /** How long a connection may take, and until it listens. */
  readonly timeoutMs: number;
  /** The revisions of these sessions, over this connection, or else any; those that are gone are missing. Rejects when it takes too long. */
  revisions(keys: readonly StoreKey[], connection?: PostgresConnection): Promise<ReadonlyMap<StoreKey, number>>;
  /** Sends a notification as a commit does. */
  notify(payload: string): Promise<unknown>;
}

/**
 * Tells listeners of commits by anyone, over one connection that LISTENs while somebody watches. Whenever that
 * connection is new, the revisions are read once it listens, so that nothing falls between. Where there is no such
 * connection, or nothing arrives over it, the revisions are asked for every second.
 */
export class PostgresWatch {
  readonly #database: WatchedDatabase;
  readonly #listeners = new Listeners();
  /** Ends the watch under way; `null` while nobody watches. */
  #watching: AbortController | null = null;
  /** Resolves when the last watch is over. */
  #over: Promise<void> = Promise.resolve();
  /** When a connection that LISTENs was last known to be well, by `performance.now()`. */
  #wellAt = 0;
  /** The notification that was sent to ourselves, until it arrives. */
  #echo: { readonly payload: string; readonly arrived: AbortController } | null = null;
  #asking: Promise<void> | null = null;
  /** The lines that the operator has been told. */
  readonly #told = new Set<string>();

  constructor(database: WatchedDatabase) {
    this.#database = database;
  }

  add(key: StoreKey, listener: (rev: number) => void): Unsubscribe {
    const leave = this.#listeners.add(key, listener, () => {
      if (this.#listeners.size === 0) this.#hangUp();
    });
    if (!this.#watching) {
      const watching = new AbortController();
      this.#watching = watching;
      // One after the other: each keeps a place of the pool.
      this.#over = this.#over.then(() => this.#watch(watching.signal));
    }
    return leave;
  }

  stop(): void {
    this.#listeners.clear();
    this.#hangUp();
  }

  #hangUp(): void {
    this.#watching?.abort();
    this.#watching = null;
  }

  /** Goes on until the signal says that nobody watches, over one connection after another. */
  async #watch(left: AbortSignal): Promise<void> {
    const { pool, shared } = this.#database;
    let retryMs = shortestRetryMs;
    this.#wellAt = performance.now();
    while (!left.aborted) {
      if (!takePlace(pool, this, shared ? 1 : 0)) {
        this.#tellOfNoPlace();
        await this.#ask();
        await pause(askMs, left);
        continue;
      }
      const beganAt = performance.now();
      try {
        await this.#listen(left);
      } catch (error) {
        if (left.aborted) break;
        this.#tellOfFailure(error);
        void this.#ask();
      }
      // A connection that breaks as soon as it is there is not worth more attempts than one that never comes.
      if (performance.now() - beganAt > longestRetryMs) retryMs = shortestRetryMs;
      await pause(retryMs, left);
      retryMs = Math.min(retryMs * 2, longestRetryMs);
    }
    givePlaceBack(pool, this);
  }

  /** LISTENs over a connection until nobody watches, or rejects when it is of no use any more. */
  async #listen(left: AbortSignal): Promise<void> {
    const { pool, channel, timeoutMs } = this.#database;
    // A host that has vanished says nothing, not even that it has.
    const connection = await borrow(pool, timeoutMs);
    if (left.aborted) return connection.release();
    const over = new AbortController();
    const end = () => over.abort();
    let cause: unknown;
    const broke = (error: unknown) => {
      cause ??= error;
      end();
    };
    connection.on("error", broke);
    connection.on("end", () => broke(new Error("The connection was closed")));
    connection.on("notification", (message) => {
      if (message.channel === channel) this.#hear(message.payload ?? "");
    });
    left.addEventListener("abort", end);
    try {
      await within(timeoutMs, database, connection.query({ text: `LISTEN "${channel}"` }));
      await this.#follow(connection, over.signal);
    } finally {
      left.removeEventListener("abort", end);
      // It listens, so it is no use to others.
      connection.release(true);
    }
    if (!left.aborted) throw cause;
  }

  /** Looks at the revisions from time to time: every second, until a notification to ourselves has shown that they are told. */
  async #follow(connection: PostgresConnection, over: AbortSignal): Promise<void> {
    let hears = false;
    let lost = 0;
    for (let looks = 0; !over.aborted; looks++) {
      const keys = this.#listeners.keys();
      await this.#listeners.look(keys, () => this.#database.revisions(keys, connection));
      this.#wellAt = performance.now();
      const due: boolean = !hears && (lost < mostLost || looks % looksBetweenTries === 0);
      const echo: AbortSignal | null = due ? await this.#notifyOurselves() : null;
      if (echo) {
        await pause(askMs, over, echo);
        hears = echo.aborted;
        if (!hears && !over.aborted && ++lost === mostLost) this.#tellOfSilence();
      }
      // The wait for what was lost was one already.
      if (hears || !echo) await pause(hears ? heartbeatMs : askMs, over);
    }
  }

  /** Sends a notification as a commit does, over another connection; the signal says when it arrives. `null`: it could not be sent. */
  async #notifyOurselves(): Promise<AbortSignal | null> {
    const echo = { payload: randomUUID(), arrived: new AbortController() };
    this.#echo = echo;
    try {
      await this.#database.notify(echo.payload);
      return echo.arrived.signal;
    } catch {
      // Commits go over the same pool, so they reject for the same reason.
      return null;
    }
  }

  #hear(payload: string): void {
    if (payload === this.#echo?.payload) return this.#echo.arrived.abort();
    const news = toNews(payload);
    if (news) this.#listeners.tell(news.key, news.rev);
  }

  /** Asks for the revisions over the store's pool; once at a time. */
  #ask(): Promise<void> {
    const keys = this.#listeners.keys();
    this.#asking ??= this.#listeners
      .look(keys, () => this.#database.revisions(keys))
      // Calls go over the same pool, so they reject for the same reason.
      .catch(() => undefined)
      .finally(() => {
        this.#asking = null;
      });
    return this.#asking;
  }

  #tellOfNoPlace(): void {
    const { pool, shared } = this.#database;
    const max = pool.options?.max;
    this.#tell(
      shared
        ? `the pool has too few connections for one that LISTENs beside the calls (max: ${max}): live updates are up to a second late; raise max, or give postgresStore a pool for it, ${remedy}`
        : `the pool listen has too few connections for the stores that share it (max: ${max}): live updates are up to a second late; raise max to the number of stores`,
    );
  }

  #tellOfFailure(error: unknown): void {
    const { code, message } = translate(error);
    if (code !== "STORE_UNUSABLE" && performance.now() - this.#wellAt < patienceMs) return;
    this.#tell(`no connection LISTENs, and live updates are late, because of this: ${message}`);
  }

  #tellOfSilence(): void {
    this.#tell(
      this.#database.shared
        ? `nothing arrives over the connection that LISTENs, as behind a pooler that hands out connections by transaction: live updates are up to a second late; give postgresStore a pool for it, ${remedy}`
        : "nothing arrives over the pool listen: live updates are up to a second late; give it the address of the database itself, the one that the store's pool leads to, not that of a pooler",
    );
  }

  /** Writes a line for the operator, each of them once. There is no call that could reject instead. */
  #tell(words: string): void {
    if (this.#told.has(words)) return;
    this.#told.add(words);
    console.warn(`catnap: ${words}`);
  }
}

/** Resolves after so many milliseconds, or at once when one of the signals says so. */
function pause(ms: number, ...signals: AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    if (signals.some((signal) => signal.aborted)) return resolve();
    const end = () => {
      cancel();
      for (const signal of signals) signal.removeEventListener("abort", end);
      resolve();
    };
    const cancel = after(ms, end, true);
    for (const signal of signals) signal.addEventListener("abort", end);
  });
}
