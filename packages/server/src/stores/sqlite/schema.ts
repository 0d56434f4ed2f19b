import { SessionError } from "@catnap/shared";
import { all, type SqliteDatabase, transaction } from "./driver.ts";

/** When a session expires, as SQL: what `expiresAt` of the contract says, over columns of `catnap_session`. */
export const expiry = "min(ends_at, accessed_at + timeout_ms)";

/** A random number that JavaScript holds exactly, as SQL. */
export const freshStamp = "1 + abs(random() % 9007199254740990)";

/**
 * Every step from an empty database to today's tables. A step that was released is never edited: add another, which leaves the
 * tables usable to processes of the version before, or sets `usableFrom` to its own version. In a deploy servers of both run
 * beside each other, and a rollback starts the old one on the new tables.
 *
 * - `due_at` is what expiry is searched by: at most a minute earlier than the expiry itself, never later. An index on
 *   the expiry would be rewritten by every commit, which costs a commit a fifth of its time; this one moves once a
 *   minute. A trigger keeps it, so that no statement can forget to.
 * - Inserting into the view `catnap_commit` is a commit with its first change, in one statement: a fifth cheaper through
 *   libsql than BEGIN, UPDATE, INSERT, COMMIT. What remains above a bare upsert is the session's own row, a second page
 *   to write. For a session that is not alive it yields no row.
 * - `stamp` names the commit that left a session's entries as they are, `prior_stamp` the one before. They let a process
 *   know that what it has in memory is what the file holds.
 * - `taken_at` frees a task whose holder has died when the clock was set back: what is held from a time to come on is
 *   held by nobody.
 */
const migrations: readonly string[] = [
  `
  CREATE TABLE catnap_session (
    id INTEGER PRIMARY KEY,
    identifier TEXT NOT NULL UNIQUE,
    rev INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    accessed_at INTEGER NOT NULL,
    timeout_ms INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    transactions INTEGER NOT NULL,
    subject TEXT,
    authenticated_at INTEGER,
    stamp INTEGER NOT NULL,
    prior_stamp INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX catnap_session_subject ON catnap_session (subject, identifier) WHERE subject IS NOT NULL;
  CREATE INDEX catnap_session_due ON catnap_session (due_at);
  CREATE TABLE catnap_entry (
    session INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT,
    rev INTEGER NOT NULL,
    writer TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (session, key)
  ) WITHOUT ROWID;
  CREATE TABLE catnap_lease (
    task TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    taken_at INTEGER NOT NULL,
    until INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TRIGGER catnap_session_due_moves AFTER UPDATE ON catnap_session
    WHEN min(NEW.ends_at, NEW.accessed_at + NEW.timeout_ms) NOT BETWEEN NEW.due_at AND NEW.due_at + 60000
  BEGIN
    UPDATE catnap_session SET due_at = ${expiry} WHERE id = NEW.id;
  END;
  CREATE TRIGGER catnap_session_ends AFTER DELETE ON catnap_session BEGIN
    DELETE FROM catnap_entry WHERE session = OLD.id;
  END;
  CREATE VIEW catnap_commit AS
    SELECT identifier, 0 AS now, accessed_at, transactions, timeout_ms, '' AS key, '' AS value, '' AS writer, 0 AS seq
    FROM catnap_session;
  CREATE TRIGGER catnap_commit_applies INSTEAD OF INSERT ON catnap_commit BEGIN
    SELECT RAISE(IGNORE)
      WHERE NOT EXISTS (SELECT 1 FROM catnap_session WHERE identifier = NEW.identifier AND ${expiry} > NEW.now);
    INSERT INTO catnap_entry (session, key, value, rev, writer, seq)
      SELECT id, NEW.key, NEW.value, rev + 1, NEW.writer, NEW.seq
      FROM catnap_session WHERE identifier = NEW.identifier AND NEW.key IS NOT NULL
      ON CONFLICT DO UPDATE SET value = excluded.value, rev = excluded.rev, writer = excluded.writer, seq = excluded.seq;
    UPDATE catnap_session
      SET rev = rev + 1,
          prior_stamp = stamp,
          stamp = ${freshStamp},
          accessed_at = max(accessed_at, NEW.accessed_at),
          transactions = transactions + NEW.transactions,
          timeout_ms = coalesce(NEW.timeout_ms, timeout_ms)
      WHERE identifier = NEW.identifier;
  END;
  `,
];

/** The oldest version of these tables whose processes can work with today's. */
const usableFrom = 1;

/**
 * Brings the database to today's tables. Several processes may do so at once: whoever has the write lock looks again
 * before it does anything. The version rests in a table, not in `PRAGMA user_version`, which in a database handed to
 * us belongs to the application. Tables of a newer version stay as they are. Throws `STORE_UNUSABLE` for those that say
 * that this Catnap cannot work with them, and, when the file is `ours` to make, for one that holds something else.
 */
export function migrate(database: SqliteDatabase, name: string, ours: boolean): void {
  if (versionOf(database, name, ours) >= migrations.length) return;
  transaction(database, () => {
    const version = versionOf(database, name, ours);
    if (version >= migrations.length) return;
    if (version === 0)
      database.exec("CREATE TABLE catnap_schema (version INTEGER NOT NULL, usable_from INTEGER NOT NULL)");
    for (const step of migrations.slice(version)) database.exec(step);
    database.exec(`DELETE FROM catnap_schema; INSERT INTO catnap_schema VALUES (${migrations.length}, ${usableFrom})`);
  });
}

/** The version of the tables, 0 where there are none. */
function versionOf(database: SqliteDatabase, name: string, ours: boolean): number {
  const objects = all(database, "SELECT name FROM sqlite_schema");
  if (!objects.some((object) => object.name === "catnap_schema")) {
    if (!ours || objects.length === 0) return 0;
    throw new SessionError(
      "STORE_UNUSABLE",
      `${name} is another application's database: name a file of its own for the sessions, or pass the opened database itself to share it`,
    );
  }
  // As a text, because a driver may refuse a number that JavaScript does not hold.
  const [row] = all(database, "SELECT json_array(version, usable_from) AS versions FROM catnap_schema");
  const [version, oldest] = row ? (JSON.parse(String(row.versions)) as unknown[]) : [];
  if (isVersion(version) && isVersion(oldest) && oldest <= migrations.length) return version;
  const [what, remedy] =
    isVersion(version) && isVersion(oldest)
      ? [`version ${version}`, "upgrade Catnap, or name another file"]
      : ["no version that can be read", "restore a backup"];
  throw new SessionError(
    "STORE_UNUSABLE",
    `${name} has ${what} of Catnap's tables and this Catnap knows version ${migrations.length}: ${remedy}`,
  );
}

const isVersion = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 1;
