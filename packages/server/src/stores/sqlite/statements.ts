import type { Query } from "../store.ts";
import { expiry, freshStamp } from "./schema.ts";

/** What `find` tells of a session besides its identifier and expiry. */
const common = ["subject", "created_at", "accessed_at", "authenticated_at", "transactions"];

/** A column as a part of JSON, of which SQLite makes no BLOB, or takes it for JSON of its own making: an array stands for one. */
const guarded = (column: string) => `CASE typeof(${column}) WHEN 'blob' THEN json('[]') ELSE ${column} END`;

/** Numbers, whatever stood in the columns: nothing of it may end the process in the driver. */
const committed = "json_array(rev + 0, stamp + 0, prior_stamp + 0)";

const isNoNumber = (column: string) =>
  `typeof(${column}) NOT IN ('integer', 'real') OR abs(${column}) > ${Number.MAX_SAFE_INTEGER}`;

/** The statements of the contract over today's tables. */
export const sql = {
  // One row with the entries as JSON: a third of the price of a row per entry, and consistent without a transaction. JSON
  // also carries what drivers treat each in a way of its own: a NUL, at which libsql cuts a text, and numbers that are too
  // large for JavaScript. It comes as bytes, since over a text that is no UTF-8 libsql ends the process.
  read: `
    SELECT CAST(json_array(${common.join()}, rev, ends_at, timeout_ms, stamp) AS BLOB) AS fields,
      CASE stamp WHEN ? THEN NULL ELSE
        (SELECT CAST(json_group_array(json_array(key, ${guarded("value")}, rev, writer, seq)) AS BLOB)
          FROM catnap_entry WHERE session = id)
      END AS entries
    FROM catnap_session WHERE identifier = ?`,
  create: `
    INSERT INTO catnap_session
      (identifier, rev, created_at, ends_at, accessed_at, timeout_ms, due_at, transactions, subject, authenticated_at, stamp)
    VALUES (?1, 1, ?2, ?3, ?4, ?5, min(?3, ?4 + ?5), ?6, ?7, ?8, ${freshStamp})
    ON CONFLICT DO NOTHING RETURNING ${committed} AS committed`,
  commit: `
    INSERT INTO catnap_commit (identifier, now, accessed_at, transactions, timeout_ms, key, value, writer, seq)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    RETURNING (SELECT ${committed} FROM catnap_session s WHERE s.identifier = catnap_commit.identifier) AS committed`,
  // A number whatever stands there, and as a text, because a driver may refuse one that JavaScript does not hold.
  revisions: `
    SELECT identifier, CAST(rev + 0 AS TEXT) AS rev FROM catnap_session
    WHERE identifier IN (SELECT value FROM json_each(?))`,
  entryRev: `
    SELECT CASE typeof(e.rev) WHEN 'integer' THEN e.rev ELSE -1 END AS rev
    FROM catnap_session s JOIN catnap_entry e ON e.session = s.id WHERE s.identifier = ? AND e.key = ?`,
  bind: `
    UPDATE catnap_session SET subject = coalesce(?, subject), authenticated_at = coalesce(?, authenticated_at)
    WHERE identifier = ?`,
  // What no column holds that Catnap has written.
  damaged: `
    SELECT 1 FROM catnap_session s WHERE identifier = ?1 AND (
      ${["rev", "created_at", "ends_at", "accessed_at", "timeout_ms", "transactions", "stamp", "prior_stamp"].map(isNoNumber).join(" OR ")}
      OR authenticated_at IS NOT NULL AND (${isNoNumber("authenticated_at")})
      OR typeof(subject) = 'blob'
      OR EXISTS (SELECT 1 FROM catnap_entry e WHERE session = s.id AND (
        'blob' IN (typeof(key), typeof(value), typeof(writer)) OR ${isNoNumber("e.rev")} OR ${isNoNumber("seq")})))`,
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
  lease: `
    INSERT INTO catnap_lease (task, holder, taken_at, until) VALUES (?1, ?2, ?3, ?3 + ?4)
    ON CONFLICT DO UPDATE SET holder = excluded.holder, taken_at = excluded.taken_at, until = excluded.until
      WHERE holder = excluded.holder OR ?3 < taken_at + 0 OR ?3 >= until + 0
    RETURNING 1`,
  giveBack: "DELETE FROM catnap_lease WHERE task = ? AND holder = ?",
  lessee: "SELECT 1 FROM catnap_lease WHERE task = ?1 AND ?2 >= taken_at + 0 AND ?2 < until + 0",
};

/** The statement of `find` and its parameters, but the limit. */
export function findStatement(query: Query): { text: string; parameters: (string | number)[] } {
  const { subject, expiredAt, cursor = "", entries = [] } = query;
  const named = `,
      (SELECT CAST(json_group_array(json_array(key, ${guarded("value")})) AS BLOB) FROM catnap_entry
        WHERE session = id AND key IN (${entries.map(() => "?").join()}) AND value IS NOT NULL) AS entries`;
  // Told nothing, SQLite would walk through all identifiers, in their order, to find the few that have expired.
  const index = subject === undefined && expiredAt !== undefined ? "INDEXED BY catnap_session_due" : "";
  const where = ["identifier > ?"];
  const parameters: (string | number)[] = [...entries, cursor];
  if (subject !== undefined) {
    where.push("subject = ?");
    parameters.push(subject);
  }
  if (expiredAt !== undefined) {
    where.push("due_at <= ?", `${expiry} <= ?`);
    parameters.push(expiredAt, expiredAt);
  }
  const text = `
    SELECT CASE typeof(identifier) WHEN 'text' THEN CAST(identifier AS BLOB) END AS own,
      CAST(json_array(${common.map(guarded).join()}, ${expiry}) AS BLOB) AS fields ${entries.length > 0 ? named : ""}
    FROM catnap_session ${index} WHERE ${where.join(" AND ")} ORDER BY identifier LIMIT ?`;
  return { text, parameters };
}
