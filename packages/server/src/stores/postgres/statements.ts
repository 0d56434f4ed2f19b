import { expiry, recordOf } from "./expressions.ts";

/** From how many expired sessions on they are found by walking through the identifiers. */
const manyExpired = 20_000;

/** The database's clock, in epoch milliseconds. */
const clock = "(date_part('epoch', clock_timestamp()) * 1000)";

/** The ways to find sessions. */
export type Find = "find" | "findOfSubject" | "findExpired" | "findExpiredOfSubject";

/** One of the store's statements. */
export type StatementName =
  | "read"
  | "write"
  | "touch"
  | "erase"
  | "sweep"
  | Find
  | `${Find}WithEntries`
  | "lease"
  | "giveBack"
  | "revisions"
  | "notify"
  | "version"
  | "clock";

/** All that the store asks of the database; `schema` comes quoted. Columns are text, also for a driver that wants them in the binary format. */
export function statements(schema: string): Readonly<Record<StatementName, string>> {
  return {
    read: `SELECT ${recordOf(schema, "$2")} AS record FROM ${schema}.session WHERE identifier = $1`,
    write: `SELECT ${schema}.write($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20) AS result`,
    touch: `SELECT ${schema}.touch($1, $2, $3, $4)`,
    erase: `SELECT ${schema}.erase($1, $2, $3, $4)::text AS erased`,
    sweep: `SELECT ${schema}.sweep($1, $2, $3)::text AS swept`,
    ...finds(schema),
    lease: `INSERT INTO ${schema}.lease (task, holder, until)
      VALUES ($1, $2, clock_timestamp() + $3::float8 * interval '1 millisecond')
      ON CONFLICT (task) DO UPDATE SET holder = excluded.holder, until = excluded.until
      WHERE lease.holder = excluded.holder OR lease.until <= clock_timestamp()
      RETURNING 'true' AS mine`,
    giveBack: `WITH back AS (DELETE FROM ${schema}.lease WHERE task = $1 AND holder = $2)
      SELECT (NOT EXISTS (SELECT FROM ${schema}.lease
        WHERE task = $1 AND holder <> $2 AND until > clock_timestamp()))::text AS mine`,
    revisions: `SELECT identifier, rev::text FROM ${schema}.session WHERE identifier = ANY ($1)`,
    notify: "SELECT pg_notify($1, $2)",
    version: `SELECT coalesce(max(version), 0)::text AS version, coalesce(max(usable_from), 0)::text AS usable_from, ${clock}::text AS now FROM ${schema}.version`,
    clock: `SELECT ${clock}::text AS now`,
  };
}

/**
 * Pages of sessions: all, those that have expired, a subject's, and each of them with the values of the entries that its
 * last parameter names. Not one statement for both: what the entries might cost would keep PostgreSQL from planning it once for
 * all values, and each call would be planned anew.
 */
function finds(schema: string): Readonly<Record<Find | `${Find}WithEntries`, string>> {
  const page = (entries: string) =>
    `SELECT identifier, ${infoOf(entries)} FROM ${schema}.session WHERE identifier > $1`;
  // An entry has no `id`: that is the session's, by whichever name the statement calls it.
  const named = (parameter: string) => `(SELECT coalesce(json_agg(json_build_array(key, value)), '[]')
    FROM ${schema}.entry WHERE entry.session = id AND key = ANY (${parameter}) AND value IS NOT NULL)`;
  const all = (entries: string) => `${page(entries)} ORDER BY identifier LIMIT $2`;
  const ofSubject = (entries: string) => `${page(entries)} AND subject = $2 ORDER BY identifier LIMIT $3`;
  // A page is in the order of identifiers and leaves none out, so one that only looked at the longest expired would not
  // do. A few expired are taken together and sorted. Of many, the next ones are met soon on a walk through all
  // identifiers, which are random: a page of 200 lies among 10,000 at most for each million of sessions. The database, told
  // nothing, might take that walk for the few, too. Of the two, what is not wanted is not run.
  const expired = (entries: string) => `WITH
    many AS MATERIALIZED (SELECT count(*) = ${manyExpired} AS so FROM (
      SELECT FROM ${schema}.session WHERE due_at <= $2 ORDER BY due_at LIMIT ${manyExpired}) AS due),
    few AS MATERIALIZED (SELECT * FROM ${schema}.session WHERE due_at <= $2 AND ${expiry} <= $2 AND identifier > $1)
    SELECT identifier, info FROM (
      (SELECT identifier, ${infoOf(entries)} FROM few WHERE NOT (SELECT so FROM many) ORDER BY identifier LIMIT $3)
      UNION ALL
      (${page(entries)} AND ${expiry} <= $2 AND (SELECT so FROM many) ORDER BY identifier LIMIT $3)
    ) AS page ORDER BY identifier`;
  const expiredOfSubject = (entries: string) =>
    `${page(entries)} AND ${expiry} <= $2 AND subject = $3 ORDER BY identifier LIMIT $4`;
  return {
    find: all("NULL"),
    findOfSubject: ofSubject("NULL"),
    findExpired: expired("NULL"),
    findExpiredOfSubject: expiredOfSubject("NULL"),
    findWithEntries: all(named("$3")),
    findOfSubjectWithEntries: ofSubject(named("$4")),
    findExpiredWithEntries: expired(named("$4")),
    findExpiredOfSubjectWithEntries: expiredOfSubject(named("$5")),
  };
}

/** What may be told of a session, as one JSON text. */
function infoOf(entries: string): string {
  return `json_build_array(subject, created_at, accessed_at, ${expiry}, authenticated_at, transactions, ${entries})::text AS info`;
}
