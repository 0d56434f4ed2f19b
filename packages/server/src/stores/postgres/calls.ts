import { setTimeout as pause } from "node:timers/promises";
import { SessionError } from "@catnap/shared";
import { type Deadline, isOver, unanswered, within } from "../deadline.ts";
import { isCollision, isTooLate, isUnprepared, translate } from "./errors.ts";
import type { PostgresConnection, PostgresPool, PostgresQuery } from "./pool.ts";
import { type Row, toRows } from "./replies.ts";

// How a statement reaches the database: over a connection of its own, within a deadline, and never after it.

/** Who it is that has not answered, for the message. */
export const database = "The session database";

/** Columns as the text that the database sends: an application may have taught its driver, or the pool, other ways. */
const asText = { getTypeParser: () => String };

/** Runs one statement over a connection. */
export async function run(connection: PostgresConnection, query: PostgresQuery): Promise<readonly Row[]> {
  return toRows(await connection.query({ ...query, types: asText }));
}

/**
 * Lends a connection to `action` and takes it back. A pool's own `query` would not do: what waits in its queue is sent
 * whenever a connection comes free, though it was reported as failed long before; and a statement that nobody waits for
 * any more would keep one of the pool's places. So a connection that comes late is handed back unused, and one whose
 * statement is not over at the deadline is closed. So is one that failed, for the next may lead to a database that is up,
 * or is the primary, unless `keeps` says that the error was harmless.
 */
export async function lend<T>(
  pool: PostgresPool,
  deadline: Deadline,
  action: (connection: PostgresConnection) => Promise<T>,
  keeps: (error: unknown) => boolean = () => false,
): Promise<T> {
  const connection = await borrow(pool, deadline);
  // While it is ours, nobody else hears that it broke.
  guard(connection);
  let broken = false;
  try {
    // A process that was busy hears of the connection before it hears of the time.
    if (isOver(deadline)) throw unanswered(database, deadline.ms);
    broken = true;
    const result = await within(deadline, database, action(connection));
    broken = false;
    return result;
  } catch (error) {
    if (keeps(error)) broken = false;
    throw error;
  } finally {
    connection.release(broken);
  }
}

/** Takes a connection from the pool within a deadline, or until so many milliseconds have passed. One that comes late goes back. */
export async function borrow(pool: PostgresPool, wait: number | Deadline): Promise<PostgresConnection> {
  if (pool.ending) {
    throw new SessionError("STORE_UNAVAILABLE", "The pool of postgresStore was ended: end the sessions before it");
  }
  const beganAt = performance.now();
  try {
    return await within(wait, database, pool.connect(), (late) => late.release());
  } catch (error) {
    const { max } = pool.options ?? {};
    const full = max !== undefined && (pool.totalCount ?? 0) >= max;
    // When its own connectionTimeoutMillis is over, the pool of pg has nothing but these words.
    const waited = error instanceof Error && error.message === "timeout exceeded when trying to connect";
    if (!full || !(waited || error instanceof SessionError)) throw error;
    const ms = waited ? performance.now() - beganAt : typeof wait === "number" ? wait : wait.ms;
    throw new SessionError(
      "STORE_UNAVAILABLE",
      `No connection of the pool has come free within ${Math.round(ms) / 1000} s (max: ${max}): raise max, or see to what keeps them; if they are still connecting, look after the database and the network`,
      { cause: error },
    );
  }
}

/** Runs one statement, and says when it was sent, by `performance.now()`. */
export function send(
  pool: PostgresPool,
  deadline: Deadline,
  query: PostgresQuery,
): Promise<{ rows: readonly Row[]; sentAt: number }> {
  return lend(
    pool,
    deadline,
    async (connection) => {
      const sentAt = performance.now();
      return { rows: await run(connection, query), sentAt };
    },
    (error) => isCollision(error) || isTooLate(error) || isUnprepared(error),
  );
}

/**
 * Tries again, until the deadline, what the database has undone as a whole: because others were in its way, or because
 * it thought that the deadline had passed. Rejects as the contract has it.
 */
export async function persist<T>(deadline: Deadline, action: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (isOver(deadline) || !(isCollision(error) || isTooLate(error))) throw translate(error);
    }
    // Spread out, or the same ones would meet again.
    await pause(Math.random() * Math.min(2 ** attempt, 100));
  }
}

const guarded = new WeakSet<object>();

/**
 * Listens to a connection's errors. pg tells of a connection that broke by an event; unheard, it would end the process.
 * Nobody needs to hear it here: a statement over the connection rejects.
 */
function guard(connection: { on(event: "error", listener: () => void): unknown }): void {
  if (guarded.has(connection)) return;
  guarded.add(connection);
  connection.on("error", () => undefined);
}

/**
 * Listens to the errors of a pool's connections: of idle ones, which the pool replaces, and of new ones. A database that is
 * shut down just then breaks a new one before the promise of it can be awaited.
 */
export function guardPool(pool: PostgresPool): void {
  if (guarded.has(pool)) return;
  guard(pool);
  pool.on("connect", guard);
}
