import type { SessionErrorCode } from "@catnap/shared";

/** What a call rejects with for what a pooler has said. */
export interface PoolerAdvice {
  readonly code: Extract<SessionErrorCode, "STORE_UNAVAILABLE" | "STORE_UNUSABLE">;
  /** Goes on from "The pooler before the session database". */
  readonly words: string;
}

const unusable = (words: string): PoolerAdvice => ({ code: "STORE_UNUSABLE", words });
const unavailable = (words: string): PoolerAdvice => ({ code: "STORE_UNAVAILABLE", words });
const refusedOption = (option: string) =>
  unusable(
    `refuses the pool's option ${option}: take it out of the options of Pool, and set it for the role in the database instead (ALTER ROLE … SET …)`,
  );

/**
 * What poolers say, by their own words. pgbouncer gives nearly all of it one SQLSTATE, 08P01, and others give theirs as they
 * please: nothing but the words tells an option that will never be taken from a pooler that is full just now.
 */
const sayings: readonly (readonly [saying: RegExp, advise: (option: string) => PoolerAdvice])[] = [
  [/unsupported startup parameter(?: in options)?: (\w+)/i, refusedOption],
  [/unsupported options startup parameter|support command-line options/i, () => refusedOption("options")],
  [/RDS Proxy currently doesn.t support the option (\w+)/i, refusedOption],
  [
    /transaction blocks not allowed|long transactions not allowed/i,
    () =>
      unusable(
        "takes no transactions, since it pools by statement: set its pool_mode to transaction, or migrate over a pool that reaches the database itself",
      ),
  ],
  [
    /no more connections allowed|client connections exceeded|max client connections reached|max clients reached/i,
    () =>
      unavailable("takes no more connections: raise its max_client_conn, or make the pools of your processes smaller"),
  ],
  [
    /query_wait_timeout/i,
    () =>
      unavailable(
        "had no connection to the database for too long: make sure that it is up, or raise default_pool_size",
      ),
  ],
  [
    /no such database|database ".*" is disabled/i,
    () => unusable("has no database of this name: see to its list of databases and to the pool's settings"),
  ],
  [
    /no such user|authentication failed|login rejected|auth failed|user not found/i,
    () => unusable("refuses this user or password: see to its list of users and to the pool's settings"),
  ],
  [/^SSL required/i, () => unusable("wants TLS: set the option ssl of Pool")],
  [
    /server login|server conn crashed|server down|connect to server|shutting down|pause failed/i,
    () => unavailable("does not reach the database: make sure that it is up and the pooler finds it"),
  ],
];

/** What to make of an error's message, if it is one that a pooler gives; `undefined` for all others. */
export function poolerAdvice(message: string): PoolerAdvice | undefined {
  for (const [saying, advise] of sayings) {
    const said = saying.exec(message);
    if (said) return advise(said[1] ?? "");
  }
  return undefined;
}
