import { SessionError } from "@catnap/shared";
import { tooLateState } from "./postgres-expressions.ts";
import { newerVersionState } from "./postgres-schema.ts";

/** A statement as `pg` takes it. With a `name`, a connection parses and plans it once. */
export interface PostgresQuery {
  readonly text: string;
  readonly name?: string;
  readonly values?: unknown[];
}

/** What `postgresStore` asks of a connection. */
export interface PostgresConnection {
  query(query: PostgresQuery): Promise<{ rows: unknown[] }>;
  on(event: "notification", listener: (message: { channel: string; payload?: string | undefined }) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  /** `true` closes the connection instead of handing it back. */
  release(destroy?: boolean): void;
}

/** What `postgresStore` asks of a pool: that of `pg` has it, and so has any that is modelled on it. */
export interface PostgresPool {
  connect(): Promise<PostgresConnection>;
  on(event: "error", listener: (error: Error) => void): unknown;
}

function stateOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "string" ? code : undefined;
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

const missing =
  "has no tables of Catnap's in this schema, or not today's: run `await store.migrate()` once per release";

/** SQLSTATEs after which no retry helps: somebody has to see to the database. */
const unusable: Readonly<Record<string, string>> = {
  "3F000": missing,
  "42P01": missing,
  "42703": missing,
  "42883": missing,
  "42501": "refuses this role: grant it usage of the schema, its tables and its functions",
  "28000": "refuses this user: see to the pool's user and to pg_hba.conf",
  "28P01": "refuses this password: see to the pool's settings",
  "3D000": "does not exist: see to the pool's settings",
  XX001: "is corrupt: restore it from a backup",
  XX002: "is corrupt: reindex it, or restore it from a backup",
  [newerVersionState]: "has tables of a newer Catnap: upgrade this one, or name another schema",
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
  [tooLateState]:
    "refused what came too late: nothing was written; look after its load and the network, then try again",
};

/** What a driver threw, as the contract has it. The driver's error is the `cause`. */
export function translate(error: unknown): SessionError {
  if (error instanceof SessionError) return error;
  const state = stateOf(error) ?? "";
  const remedy = unusable[state];
  if (remedy !== undefined) {
    return new SessionError("STORE_UNUSABLE", `The session database ${remedy}`, { cause: error });
  }
  const words =
    passing[state] ?? "could not be reached: make sure that it is up and the pool finds it; the cause says why";
  return new SessionError("STORE_UNAVAILABLE", `The session database ${words}`, { cause: error });
}
