/** When a session expires, as SQL: what `expiresAt` of the contract says, over columns of `session`. */
export const expiry = "least(ends_at, accessed_at + timeout_ms)";

/**
 * A record as one JSON text, so that neither the types that an application has taught its driver nor a row per entry
 * stand between the database and us. Whose stamp is `known` comes without its entries; no stamp is `NULL`.
 */
export const recordOf = (schema: string, known: string): string => `
  json_build_array(rev, created_at, ends_at, accessed_at, timeout_ms, transactions, subject, authenticated_at, stamp,
    CASE WHEN stamp = ${known} THEN NULL ELSE coalesce(
      (SELECT json_agg(json_build_array(key, value, rev, writer, seq)) FROM ${schema}.entry
       WHERE entry.session = session.id), '[]') END)::text`;

/** The channel of NOTIFY that tells of commits in this schema, whose name comes quoted. */
export function channelOf(schema: string): string {
  return `catnap:${schema.slice(1, -1)}`;
}

/** What `write`, `touch` and `erase` say when their deadline has passed. They have done nothing then. */
export const tooLateState = "CN002";
