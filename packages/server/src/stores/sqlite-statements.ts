import { expiry, freshStamp } from "./sqlite-schema.ts";

/** The statements of the contract over today's tables. */
export const sql = {
  // One row with the entries as JSON: a third of the price of a row per entry, consistent without a transaction, and
  // safe for a NUL in a text, at which libsql cuts a column.
  read: `
    SELECT identifier, rev, created_at AS createdAt, ends_at AS endsAt, accessed_at AS accessedAt,
      timeout_ms AS timeoutMs, transactions, subject, authenticated_at AS authenticatedAt, stamp,
      CASE stamp WHEN ?2 THEN NULL ELSE
        (SELECT json_group_array(json_array(key, value, rev, writer, seq)) FROM catnap_entry WHERE session = id)
      END AS entries
    FROM catnap_session WHERE identifier = ?1`,
  create: `
    INSERT INTO catnap_session
      (identifier, rev, created_at, ends_at, accessed_at, timeout_ms, due_at, transactions, subject, authenticated_at, stamp)
    VALUES (?1, 1, ?2, ?3, ?4, ?5, min(?3, ?4 + ?5), ?6, ?7, ?8, ${freshStamp})
    ON CONFLICT DO NOTHING RETURNING json_array(rev, stamp, prior_stamp) AS committed`,
  commit: `
    INSERT INTO catnap_commit (identifier, now, accessed_at, transactions, timeout_ms, key, value, writer, seq)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    RETURNING (SELECT json_array(rev, stamp, prior_stamp) FROM catnap_session WHERE identifier = ?1) AS committed`,
  revisions: `
    SELECT identifier, rev FROM catnap_session WHERE identifier IN (SELECT value FROM json_each(?))`,
  find: `
    SELECT identifier, subject, created_at AS createdAt, accessed_at AS accessedAt, ${expiry} AS expiresAt,
      authenticated_at AS authenticatedAt, transactions
    FROM catnap_session`,
  entryRev: `
    SELECT e.rev FROM catnap_session s JOIN catnap_entry e ON e.session = s.id WHERE s.identifier = ? AND e.key = ?`,
  bind: `
    UPDATE catnap_session SET subject = coalesce(?, subject), authenticated_at = coalesce(?, authenticated_at)
    WHERE identifier = ?`,
  put: `
    INSERT INTO catnap_entry (session, key, value, rev, writer, seq)
    SELECT id, ?, ?, rev, ?, ? FROM catnap_session WHERE identifier = ?
    ON CONFLICT DO UPDATE SET value = excluded.value, rev = excluded.rev, writer = excluded.writer, seq = excluded.seq`,
  remove: `
    DELETE FROM catnap_entry WHERE session = (SELECT id FROM catnap_session WHERE identifier = ?) AND key = ?`,
  touch: `
    UPDATE catnap_session SET accessed_at = max(accessed_at, ?1), transactions = transactions + ?2
    WHERE identifier = ?3 AND ${expiry} > ?1`,
  delete: "DELETE FROM catnap_session WHERE identifier = ?",
  deleteExpired: `DELETE FROM catnap_session WHERE identifier = ? AND ${expiry} <= ?`,
  sweep: `
    DELETE FROM catnap_session WHERE id IN (
      SELECT id FROM catnap_session WHERE due_at <= ?1 AND ${expiry} <= ?1 ORDER BY due_at LIMIT ?2)`,
};
