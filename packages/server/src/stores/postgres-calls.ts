import { setTimeout as pause } from "node:timers/promises";
import { SessionError } from "@catnap/shared";
import { type Deadline, isOver, unanswered, within } from "./deadline.ts";
import {
  isCollision,
  isTooLate,
  type PostgresConnection,
  type PostgresPool,
  type PostgresQuery,
  translate,
} from "./postgres-pool.ts";

// How a statement reaches the database: over a connection of its own, within a deadline, and never after it.

/** Who it is that has not answered, for the message. */
export const database = "The session database";

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
  const connection = await within(deadline, database, pool.connect(), (late) => late.release());
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

/** Runs one statement, and says when it was sent, by `performance.now()`. */
export function send(
  pool: PostgresPool,
  deadline: Deadline,
  query: PostgresQuery,
): Promise<{ rows: unknown[]; sentAt: number }> {
  return lend(
    pool,
    deadline,
    async (connection) => {
      const sentAt = performance.now();
      const { rows } = await connection.query(query);
      return { rows, sentAt };
    },
    (error) => isCollision(error) || isTooLate(error),
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

/** pg tells of a connection that broke by an event, of an idle one at its pool; unheard, it would end the process. */
export function guard(source: { on(event: "error", listener: (error: Error) => void): unknown }): void {
  if (guarded.has(source)) return;
  guarded.add(source);
  source.on("error", () => undefined);
}

/** How long the database's clock is believed to go as ours does, in milliseconds. */
const believedMs = 600_000;

/**
 * What a deadline is by the database's clock, for statements that a network may deliver much later. It is measured when
 * the first call looks at the version, every ten minutes, since clocks drift, and whenever the database has refused a
 * statement for being late, since its clock may have been set.
 */
export class DatabaseClock {
  readonly #ask: (deadline: Deadline) => Promise<{ rows: unknown[]; sentAt: number }>;
  #ahead = 0;
  #measuredAt = Number.NEGATIVE_INFINITY;
  #measuring: Promise<void> | undefined;

  constructor(ask: (deadline: Deadline) => Promise<{ rows: unknown[]; sentAt: number }>) {
    this.#ask = ask;
  }

  /**
   * Notes what the database's clock was between `sentAt` and now. Taken for the former: a statement is then refused later
   * than its deadline, by a round trip at most, and never before it.
   */
  set(sentAt: number, now: number): void {
    if (!Number.isFinite(now)) throw new SessionError("STORE_UNUSABLE", `${database} does not tell its time`);
    this.#ahead = now - sentAt;
    this.#measuredAt = sentAt;
  }

  /** It is to be asked again. */
  doubt(): void {
    this.#measuredAt = Number.NEGATIVE_INFINITY;
  }

  /** The deadline by the database's clock. */
  async at(deadline: Deadline): Promise<number> {
    if (performance.now() - this.#measuredAt > believedMs) {
      this.#measuring ??= this.#measure(deadline).finally(() => {
        this.#measuring = undefined;
      });
      await this.#measuring;
    }
    return deadline.at + this.#ahead;
  }

  async #measure(deadline: Deadline): Promise<void> {
    const { rows, sentAt } = await this.#ask(deadline);
    const [row] = rows as [{ now: string }];
    this.set(sentAt, Number(row.now));
  }
}
