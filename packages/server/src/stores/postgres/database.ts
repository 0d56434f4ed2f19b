import { createHash } from "node:crypto";
import { SessionError } from "@catnap/shared";
import { type Deadline, deadlineIn, within } from "../deadline.ts";
import type { StoreKey } from "../store.ts";
import { database, guardPool, lend, persist, run, send } from "./calls.ts";
import { DatabaseClock } from "./clock.ts";
import { isTooLate, isUnprepared } from "./errors.ts";
import { channelOf } from "./expressions.ts";
import type { PostgresConnection, PostgresPool, PostgresQuery } from "./pool.ts";
import { type Row, toClock, toCount, toRevisions } from "./replies.ts";
import { migrationScript, schemaVersion } from "./schema.ts";
import { type StatementName, statements } from "./statements.ts";
import { armour } from "./text.ts";

/** How long to wait for the turn to migrate, and for what there is to do. */
const migrationMs = 60_000;

/** What `PostgresDatabase` needs. */
export interface DatabaseSettings {
  readonly pool: PostgresPool;
  /** The schema's name, without quotes. */
  readonly name: string;
  readonly timeoutMs: number;
  /** Whether connections keep statements prepared. */
  readonly prepare: boolean;
}

/** The store's statements over its pool: each within the deadline, once the tables are known to be of the right version. */
export class PostgresDatabase {
  /** The channel of NOTIFY that tells of commits. */
  readonly channel: string;
  readonly #settings: DatabaseSettings;
  readonly #schema: string;
  readonly #sql: Readonly<Record<StatementName, string>>;
  readonly #clock: DatabaseClock;
  readonly #prepared = new Map<string, string>();
  #prepares: boolean;
  #version: Promise<void> | undefined;
  #closed = false;

  constructor(settings: DatabaseSettings) {
    this.#settings = settings;
    this.#schema = `"${settings.name}"`;
    this.channel = channelOf(this.#schema);
    this.#sql = statements(this.#schema);
    this.#prepares = settings.prepare;
    this.#clock = new DatabaseClock(async (deadline) => {
      const { rows, sentAt } = await send(settings.pool, deadline, { text: this.#sql.clock });
      return { now: toClock(rows), sentAt };
    });
    guardPool(settings.pool);
  }

  close(): void {
    this.#closed = true;
  }

  /** Runs a statement. With `clocked`, its parameters are the values, the deadline by the database's clock, and then those. */
  async ask(
    name: StatementName,
    values: readonly unknown[],
    clocked: readonly unknown[] | null = null,
  ): Promise<readonly Row[]> {
    const deadline = deadlineIn(this.#settings.timeoutMs);
    this.#version ??= this.#checkVersion().catch((error: unknown) => {
      this.#version = undefined;
      throw error;
    });
    await this.#version;
    return this.#attempt(deadline, async () => {
      const all = clocked === null ? [...values] : [...values, await this.#clock.at(deadline), ...clocked];
      try {
        return await this.#send(deadline, name, all);
      } catch (error) {
        if (isTooLate(error)) this.#clock.doubt();
        throw error;
      }
    });
  }

  /** The revisions of these sessions; those that are gone are missing. Over the pool, unless a connection is given. */
  async revisions(keys: readonly StoreKey[], connection?: PostgresConnection): Promise<ReadonlyMap<StoreKey, number>> {
    const values = [keys.map(armour)];
    if (connection === undefined) return toRevisions(await this.ask("revisions", values));
    const deadline = deadlineIn(this.#settings.timeoutMs);
    const rows = await this.#attempt(deadline, () =>
      within(deadline, database, run(connection, { text: this.#sql.revisions, values })),
    );
    return toRevisions(rows);
  }

  async migrate(): Promise<void> {
    const deadline = deadlineIn(migrationMs);
    await this.#attempt(deadline, () =>
      // Closed in the middle of a transaction, a connection undoes it.
      lend(this.#settings.pool, deadline, async (connection) => {
        // The default may be a stricter one, in which a process that waited for its turn would not see what was done meanwhile.
        // Of the pool's timeouts, which are meant for calls, none may end the wait for that turn.
        await connection.query({
          text: `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = ${migrationMs}; SET LOCAL lock_timeout = 0`,
        });
        await connection.query({ text: this.migration() });
        await connection.query({ text: "COMMIT" });
      }),
    );
  }

  migration(): string {
    return migrationScript(this.#schema);
  }

  #attempt<T>(deadline: Deadline, action: () => Promise<T>): Promise<T> {
    return persist(deadline, async () => {
      this.assertOpen();
      return action();
    });
  }

  assertOpen(): void {
    if (this.#closed) throw new SessionError("STORE_UNAVAILABLE", "This postgresStore is closed: make another one");
  }

  /**
   * Sends a prepared statement. When the database refuses it as not prepared, sends it again without, and all later ones
   * too, since behind a pooler the next would meet the same. What was refused has done nothing, so nothing is done twice.
   */
  async #send(deadline: Deadline, name: StatementName, values: unknown[]): Promise<readonly Row[]> {
    const { pool } = this.#settings;
    const plain: PostgresQuery = { text: this.#sql[name], values };
    if (this.#prepares) {
      try {
        return (await send(pool, deadline, { ...plain, name: this.#nameOf(plain.text) })).rows;
      } catch (error) {
        if (!isUnprepared(error)) throw error;
        this.#prepareNoMore();
      }
    }
    return (await send(pool, deadline, plain)).rows;
  }

  #prepareNoMore(): void {
    if (!this.#prepares) return;
    this.#prepares = false;
    console.warn(
      "catnap: the connections of postgresStore's pool lose prepared statements, as behind a pooler that hands them out by transaction: " +
        "from now on statements go unprepared; say prepare: false, or have the pooler keep them (pgbouncer 1.21 or later: max_prepared_statements)",
    );
  }

  /**
   * The name that a statement is prepared under: a digest of its text and of the tables' version. Behind a pooler, another
   * Catnap may have prepared its own statements on the same connection, and PostgreSQL cuts names at 63 characters.
   */
  #nameOf(text: string): string {
    const known = this.#prepared.get(text);
    if (known !== undefined) return known;
    const digest = createHash("sha256").update(`${schemaVersion} ${text}`).digest("hex");
    const name = `catnap_${digest.slice(0, 32)}`;
    this.#prepared.set(text, name);
    return name;
  }

  async #checkVersion(): Promise<void> {
    const deadline = deadlineIn(this.#settings.timeoutMs);
    const { rows, sentAt } = await this.#attempt(deadline, () =>
      send(this.#settings.pool, deadline, { text: this.#sql.version }),
    );
    const found = toCount(rows, "version");
    const isNewer = toCount(rows, "usable_from") > schemaVersion;
    if (found >= schemaVersion && !isNewer) return this.#clock.set({ now: toClock(rows), sentAt });
    const remedy = isNewer
      ? "upgrade Catnap, or name another schema"
      : "run `await store.migrate()` once per release, before the servers start";
    throw new SessionError(
      "STORE_UNUSABLE",
      `The schema ${this.#settings.name} has version ${found} of Catnap's tables and this Catnap works with version ${schemaVersion}: ${remedy}`,
    );
  }
}
