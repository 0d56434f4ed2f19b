import { expiry, recordOf } from "./postgres-expressions.ts";

/** From how many expired sessions on they are found by walking through the identifiers. */
const manyExpired = 20_000;

/** All that the store asks of the database, by name; `schema` comes quoted. */
export function statements(schema: string) {
  const info = `json_build_array(identifier, subject, created_at, accessed_at, ${expiry}, authenticated_at, transactions)::text AS info`;
  const from = `FROM ${schema}.session WHERE identifier > $1`;
  return {
    read: `SELECT ${recordOf(schema, "$2")} AS record FROM ${schema}.session WHERE identifier = $1`,
    write: `SELECT ${schema}.write($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19) AS result`,
    touch: `SELECT ${schema}.touch($1, $2, $3, $4)`,
    erase: `SELECT ${schema}.erase($1, $2, $3, $4) AS erased`,
    sweep: `SELECT ${schema}.sweep($1, $2, $3) AS swept`,
    find: `SELECT ${info} ${from} ORDER BY identifier LIMIT $2`,
    findOfSubject: `SELECT ${info} ${from} AND subject = $2 ORDER BY identifier LIMIT $3`,
    // A page is in the order of identifiers and leaves none out, so one that only looked at the longest expired would not
    // do. A few expired are taken together and sorted. Of many, the next ones are met soon on a walk through all
    // identifiers, which are random: a page of 200 lies among 10,000 at most for each million of sessions. The database, told nothing, might
    // take that walk for the few, too. Of the two, what is not wanted is not run.
    findExpired: `WITH
      many AS MATERIALIZED (SELECT count(*) = ${manyExpired} AS so FROM (
        SELECT FROM ${schema}.session WHERE due_at <= $2 ORDER BY due_at LIMIT ${manyExpired}) AS due),
      few AS MATERIALIZED (SELECT * FROM ${schema}.session WHERE due_at <= $2 AND ${expiry} <= $2 AND identifier > $1)
      SELECT info FROM (
        (SELECT identifier, ${info} FROM few WHERE NOT (SELECT so FROM many) ORDER BY identifier LIMIT $3)
        UNION ALL
        (SELECT identifier, ${info} ${from} AND ${expiry} <= $2 AND (SELECT so FROM many) ORDER BY identifier LIMIT $3)
      ) AS page ORDER BY identifier`,
    findExpiredOfSubject: `SELECT ${info} ${from} AND ${expiry} <= $2 AND subject = $3 ORDER BY identifier LIMIT $4`,
    lease: `INSERT INTO ${schema}.lease (task, holder, until)
      VALUES ($1, $2, clock_timestamp() + $3::float8 * interval '1 millisecond')
      ON CONFLICT (task) DO UPDATE SET holder = excluded.holder, until = excluded.until
      WHERE lease.holder = excluded.holder OR lease.until <= clock_timestamp()
      RETURNING true AS mine`,
    revisions: `SELECT identifier, rev FROM ${schema}.session WHERE identifier = ANY ($1)`,
    // As text, whatever the application has taught its driver of numbers.
    version: `SELECT version::text, ${clock}::text AS now FROM ${schema}.version`,
    clock: `SELECT ${clock}::text AS now`,
  };
}

/** The database's clock, in epoch milliseconds. */
const clock = "(date_part('epoch', clock_timestamp()) * 1000)";
