import { channelOf, expiry, recordOf, tooLateState } from "./expressions.ts";

/** The longest that a statement waits for a lock, in milliseconds, should the clocks make nonsense of its deadline. */
const longestWaitMs = 3_600_000;

const remaining = "_until - date_part('epoch', clock_timestamp()) * 1000";

/**
 * For a function that takes its deadline, `_until` by the database's clock: it waits no longer for a lock. Statements that
 * nobody waits for any more, each with a connection of the server's, would pile up there. A declaration, since PL/pgSQL
 * evaluates those at a third of what a statement takes.
 */
const waitInTime = `
    _wait text := set_config('lock_timeout', greatest(1, least(ceil(${remaining}) + 1, ${longestWaitMs}))::text, true);`;

/**
 * Undoes what has passed its deadline, for it was reported as failed: whether a stalled network delivered it late or
 * something held it up. Once is enough, at the end: each expression costs a commit a microsecond or two.
 */
const inTime = `
    IF ${remaining} <= 0 THEN
      RAISE EXCEPTION USING ERRCODE = '${tooLateState}', MESSAGE = 'the deadline of this statement has passed';
    END IF;`;

/**
 * The first tables, and the functions over them, for one schema, whose name comes quoted.
 *
 * - Texts are compared byte by byte (`COLLATE "C"`): the order of identifiers is that of their code units, and an index
 *   does not depend on the system's locales.
 * - `due_at` is what expiry is searched by: at most a minute earlier than the expiry itself, never later. Without an
 *   index on what every commit changes, PostgreSQL rewrites the row within its page (HOT), and leaves room for that.
 * - No foreign key: its check would lock the session's row once more for each entry. A trigger takes the entries along,
 *   also when somebody deletes sessions by hand.
 * - `stamp` names the commit that left a session's entries as they are, `prior_stamp` the one before. They let a process
 *   know that what it has in memory is what the database holds.
 * - A commit is one call of a function, so one round trip. The update of the session's row takes the lock that orders
 *   commits; what is read after it is read in a snapshot of its own, and thus as the commit before has left it.
 * - What changes something takes a deadline, and refuses when it has passed.
 */
export const firstStep = (schema: string): string => `
  CREATE TABLE ${schema}.session (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    identifier text COLLATE "C" NOT NULL UNIQUE,
    rev bigint NOT NULL,
    created_at double precision NOT NULL,
    ends_at double precision NOT NULL,
    accessed_at double precision NOT NULL,
    timeout_ms double precision NOT NULL,
    due_at double precision NOT NULL,
    transactions bigint NOT NULL,
    subject text COLLATE "C",
    authenticated_at double precision,
    stamp double precision NOT NULL,
    prior_stamp double precision NOT NULL
  ) WITH (fillfactor = 80);
  CREATE INDEX session_subject ON ${schema}.session (subject, identifier) WHERE subject IS NOT NULL;
  CREATE INDEX session_due ON ${schema}.session (due_at);
  CREATE TABLE ${schema}.entry (
    session bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    value text,
    rev bigint NOT NULL,
    writer text NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (session, key)
  ) WITH (fillfactor = 80);
  CREATE TABLE ${schema}.lease (
    task text COLLATE "C" PRIMARY KEY,
    holder text COLLATE "C" NOT NULL,
    until timestamptz NOT NULL
  );

  CREATE FUNCTION ${schema}.session_ends() RETURNS trigger LANGUAGE plpgsql AS $body$
  BEGIN
    DELETE FROM ${schema}.entry USING gone WHERE entry.session = gone.id;
    RETURN NULL;
  END $body$;
  CREATE TRIGGER session_ends AFTER DELETE ON ${schema}.session
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.session_ends();

  CREATE FUNCTION ${schema}.next_due(_due float8, _expiry float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS $body$
    SELECT CASE WHEN _expiry BETWEEN _due AND _due + 60000 THEN _due ELSE _expiry END
  $body$;

  CREATE FUNCTION ${schema}.living(_key text, _now float8) RETURNS text LANGUAGE sql VOLATILE AS $body$
    SELECT ${recordOf(schema, "NULL")} FROM ${schema}.session WHERE identifier = _key AND ${expiry} > _now
  $body$;

  CREATE FUNCTION ${schema}.write(
    _key text, _now float8, _created float8, _ends float8, _accessed float8, _transactions bigint, _timeout float8,
    _subject text, _authenticated float8, _expect_keys text[], _expect_revs bigint[],
    _keys text[], _values text[], _writers text[], _seqs bigint[], _gone text[], _on float8, _stamp float8, _until float8, _notify boolean
  ) RETURNS text LANGUAGE plpgsql AS $body$
  #variable_conflict use_column
  DECLARE
    _id bigint;
    _rev bigint;
    _prior float8 := 0;
    _count bigint;
    _taken text;${waitInTime}
  BEGIN
    IF _created IS NOT NULL THEN
      IF EXISTS (SELECT FROM unnest(_expect_revs) AS expected WHERE expected <> 0) THEN
        RETURN ${schema}.living(_key, _now);
      END IF;
      LOOP
        INSERT INTO ${schema}.session
          (identifier, rev, created_at, ends_at, accessed_at, timeout_ms, due_at, transactions, subject,
           authenticated_at, stamp, prior_stamp)
        VALUES (_key, 1, _created, _ends, _accessed, coalesce(_timeout, 0),
          least(_ends, _accessed + coalesce(_timeout, 0)), _transactions, _subject, _authenticated,
          _stamp, 0)
        ON CONFLICT (identifier) DO NOTHING RETURNING id, rev INTO _id, _rev;
        EXIT WHEN _id IS NOT NULL;
        SELECT CASE WHEN ${expiry} > _now THEN ${recordOf(schema, "NULL")} END INTO _taken
        FROM ${schema}.session WHERE identifier = _key;
        IF FOUND THEN
          RETURN _taken;
        END IF;
        -- Whoever held the key has gone since: it is free.
      END LOOP;
    ELSE
      IF _expect_keys IS NOT NULL THEN
        SELECT id INTO _id FROM ${schema}.session WHERE identifier = _key FOR NO KEY UPDATE;
        IF _id IS NULL THEN
          RETURN NULL;
        END IF;
        IF EXISTS (
          SELECT FROM unnest(_expect_keys, _expect_revs) AS expected (name, revision)
          LEFT JOIN ${schema}.entry ON entry.session = _id AND entry.key = expected.name
          WHERE coalesce(entry.rev, 0) <> expected.revision
        ) THEN
          RETURN ${schema}.living(_key, _now);
        END IF;
        _id := NULL;
      END IF;
      UPDATE ${schema}.session SET
        rev = rev + 1,
        stamp = _stamp,
        prior_stamp = stamp,
        accessed_at = greatest(accessed_at, _accessed),
        timeout_ms = coalesce(_timeout, timeout_ms),
        transactions = transactions + _transactions,
        subject = coalesce(_subject, subject),
        authenticated_at = coalesce(_authenticated, authenticated_at),
        due_at = ${schema}.next_due(due_at,
          least(ends_at, greatest(accessed_at, _accessed) + coalesce(_timeout, timeout_ms)))
      WHERE identifier = _key AND ${expiry} > _now AND (_on IS NULL OR stamp = _on)
      RETURNING id, rev, prior_stamp, transactions INTO _id, _rev, _prior, _count;
      IF _id IS NULL THEN
        -- Where nothing was expected of it, not what lives by now: that may have come since, and has refused nothing.
        RETURN CASE WHEN _on IS NOT NULL THEN ${schema}.living(_key, _now) END;
      END IF;
    END IF;
    IF _gone IS NOT NULL THEN
      DELETE FROM ${schema}.entry WHERE session = _id AND key = ANY (_gone);
    END IF;
    IF _keys IS NOT NULL THEN
      INSERT INTO ${schema}.entry (session, key, value, rev, writer, seq)
      SELECT _id, change.k, change.v, _rev, change.w, change.s
      FROM unnest(_keys, _values, _writers, _seqs) AS change (k, v, w, s)
      ON CONFLICT (session, key)
      DO UPDATE SET value = excluded.value, rev = excluded.rev, writer = excluded.writer, seq = excluded.seq;
    END IF;${inTime}
    IF _notify THEN
      PERFORM pg_notify('${channelOf(schema)}', _key || ' ' || _rev);
    END IF;
    RETURN _rev || ' ' || _prior || ' ' || coalesce(_count, _transactions);
  END $body$;

  CREATE FUNCTION ${schema}.touch(_keys text[], _accessed float8[], _transactions bigint[], _until float8) RETURNS void
  LANGUAGE plpgsql AS $body$
  #variable_conflict use_column
  DECLARE${waitInTime}
  BEGIN
    FOR _i IN 1 .. cardinality(_keys) LOOP
      UPDATE ${schema}.session SET
        accessed_at = greatest(accessed_at, _accessed[_i]),
        transactions = transactions + _transactions[_i],
        due_at = ${schema}.next_due(due_at, least(ends_at, greatest(accessed_at, _accessed[_i]) + timeout_ms))
      WHERE identifier = _keys[_i] AND ${expiry} > _accessed[_i];
    END LOOP;${inTime}
  END $body$;

  CREATE FUNCTION ${schema}.erase(_key text, _by float8, _until float8, _notify boolean) RETURNS boolean
  LANGUAGE plpgsql AS $body$
  DECLARE${waitInTime}
  BEGIN
    DELETE FROM ${schema}.session WHERE identifier = _key AND (_by IS NULL OR ${expiry} <= _by);
    IF NOT FOUND THEN
      RETURN false;
    END IF;${inTime}
    IF _notify THEN
      PERFORM pg_notify('${channelOf(schema)}', _key || ' 0');
    END IF;
    RETURN true;
  END $body$;

  CREATE FUNCTION ${schema}.sweep(_now float8, _limit bigint, _notify boolean) RETURNS bigint LANGUAGE plpgsql AS $body$
  DECLARE
    _key text;
    _count bigint := 0;
  BEGIN
    -- Whoever is being used just now is skipped, not waited for. An array, because a subquery might run more than once.
    FOR _key IN
      DELETE FROM ${schema}.session WHERE id = ANY (ARRAY (
        SELECT id FROM ${schema}.session WHERE due_at <= _now AND ${expiry} <= _now
        ORDER BY due_at LIMIT _limit FOR UPDATE SKIP LOCKED))
      RETURNING identifier
    LOOP
      _count := _count + 1;
      IF _notify THEN
        PERFORM pg_notify('${channelOf(schema)}', _key || ' 0');
      END IF;
    END LOOP;
    RETURN _count;
  END $body$;
  `;
