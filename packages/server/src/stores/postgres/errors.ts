import { SessionError } from "@catnap/shared";
import { tooLateState } from "./expressions.ts";
import { poolerAdvice } from "./pooler.ts";
import { newerVersionState } from "./schema.ts";

/** PostgreSQL's five letters and digits for an error. Node's own codes are longer, or begin with an E, as no SQLSTATE does. */
function stateOf(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^(?!E)[0-9A-Z]{5}$/.test(code) ? code : "";
}

/** Whether the database has undone a statement only because others were in its way. */
export function isCollision(error: unknown): boolean {
  const state = stateOf(error);
  return state === "40001" || state === "40P01";
}

/** Whether the database has refused a statement because its deadline had passed; it has done nothing. */
export function isTooLate(error: unknown): boolean {
  return stateOf(error) === tooLateState;
}

/**
 * Whether a statement was refused because it is not prepared where it came, or because another client has prepared it there
 * already: behind a pooler, each transaction may go over another connection. It has done nothing.
 */
export function isUnprepared(error: unknown): boolean {
  const state = stateOf(error);
  return state === "26000" || state === "42P05";
}

const missing =
  "has no tables of Catnap's in this schema, or not today's: run `await store.migrate()` once per release";
const lostStatement =
  "is behind a pooler that tears statements apart: let the pool reach the database itself, or set the pooler's pool_mode to session";

/** SQLSTATEs after which no retry helps: somebody has to see to the database. */
const unusable: Readonly<Record<string, string>> = {
  "26000": lostStatement,
  "42P05": lostStatement,
  "3F000": missing,
  "42P01": missing,
  "42703": missing,
  "42883": missing,
  "42501": "refuses this role: grant it usage of the schema, its tables and its functions",
  "28000": "refuses this user: see to the pool's user and to pg_hba.conf",
  "28P01": "refuses this password: see to the pool's settings",
  "3D000": "does not exist: see to the pool's settings",
  "54000":
    "cannot index so long a text: keep subjects, and names of entries, below 2,600 bytes of UTF-8, or what PostgreSQL compresses to them",
  XX001: "is corrupt: restore it from a backup",
  XX002: "is corrupt: reindex it, or restore it from a backup",
  [newerVersionState]:
    "has tables of a newer Catnap, with which this one cannot work: upgrade this one, or name another schema",
};

const passing: Readonly<Record<string, string>> = {
  // A file that is read-only stays so; a standby may be promoted, and a pool may find the primary at its next connection.
  "25006": "takes no writes, it is a standby or read-only: let the pool connect to the primary",
  "40001": "kept colliding with other transactions: try again",
  "40P01": "kept running into deadlocks: try again",
  "53100": "has a full disk: free some space, then try again",
  "53300": "takes no more connections: allow more, or make the pools smaller",
  "55P03": "held the statement up, somebody has locked its row or table: look after what else uses it, then try again",
  "57014": "has cancelled the statement: look after its load and its statement_timeout",
  "57P01": "has closed the connection, it is being shut down or its administrator wanted it: try again",
  "57P02": "is recovering from a crash: try again",
  "57P03": "is starting up or shutting down: try again",
  [tooLateState]:
    "refused what came too late: nothing was written; look after its load and the network, then try again",
};

/** What whole classes of SQLSTATEs mean, by their two first characters, where a retry may help. */
const passingClasses: Readonly<Record<string, string>> = {
  "25": "was reached in the middle of somebody's transaction: let the application end its transactions before it gives connections back",
  "40": "has undone the statement: try again",
  "53": "has run out of resources: look after its memory, disk and connections, then try again",
  "55": "is not in a state for the statement: look after what else uses it, then try again",
  "57": "was interrupted by its administrator: try again",
  "58": "has trouble with its own machine: look after its disk and its log, then try again",
  XX: "has run into an error of its own: look at its log, then try again",
};

/** Answers of poolers may come under these SQLSTATEs; some databases behind them use the last two themselves. */
const poolerStates = new Set(["08P01", "0A000", "XX000"]);

/** What a driver threw, as the contract has it. The driver's error is the `cause`. */
export function translate(error: unknown): SessionError {
  if (error instanceof SessionError) return error;
  const state = stateOf(error);
  const message = error instanceof Error ? error.message : "";
  const advice = poolerStates.has(state) ? poolerAdvice(message) : undefined;
  if (advice) {
    return new SessionError(advice.code, `The pooler before the session database ${advice.words}`, { cause: error });
  }
  const remedy = unusable[state];
  if (remedy !== undefined) {
    return new SessionError("STORE_UNUSABLE", `The session database ${remedy}`, { cause: error });
  }
  const words = passing[state] ?? passingClasses[state.slice(0, 2)];
  if (words !== undefined) {
    return new SessionError("STORE_UNAVAILABLE", `The session database ${words}`, { cause: error });
  }
  // Class 08 is that of broken connections.
  if (state === "" || state.startsWith("08")) {
    return new SessionError(
      "STORE_UNAVAILABLE",
      "The session database could not be reached: make sure that it is up and the pool finds it; the cause says why",
      { cause: error },
    );
  }
  return new SessionError(
    "STORE_UNUSABLE",
    `The session database refuses a statement of Catnap's with SQLSTATE ${state}: make its schema what migrate() makes, without triggers or columns of others; the cause says what is wrong`,
    { cause: error },
  );
}
