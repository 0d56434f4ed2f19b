import { afterEntry, afterField } from "./text.ts";

/** When a session expires, as SQL: what `expiresAt` of the contract says, over columns of `session`. */
export const expiry = "least(ends_at, accessed_at + timeout_ms)";

const field = `'${afterField}'`;
const entry = `'${afterEntry}'`;

/**
 * A record as one text, so that neither the types that an application has taught its driver nor a row per entry stand between
 * the database and us: a JSON list, and after it the entries, each with its name, revision, writer, number and value. The value
 * of a deleted entry is left out. So are all entries where the record's stamp is `known`; `NULL` is no stamp. As JSON, a hundred
 * entries would take the database four times as long.
 */
export const recordOf = (schema: string, known: string): string => `
  json_build_array(rev, created_at, ends_at, accessed_at, timeout_ms, transactions, subject, authenticated_at, stamp)::text ||
    CASE WHEN stamp = ${known} THEN '' ELSE ${entry} || coalesce((
      SELECT string_agg(key || ${field} || rev || ${field} || writer || ${field} || seq || coalesce(${field} || value, ''), ${entry})
      FROM ${schema}.entry WHERE entry.session = session.id), '') END`;

/** The channel of NOTIFY that tells of commits in this schema, whose name comes quoted. */
export function channelOf(schema: string): string {
  return `catnap:${schema.slice(1, -1)}`;
}

/** What `write`, `touch` and `erase` say when their deadline has passed. They have done nothing then. */
export const tooLateState = "CN002";
