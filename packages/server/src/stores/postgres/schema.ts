import { channelOf } from "./expressions.ts";
import { firstStep } from "./first-step.ts";

/**
 * Every step from nothing to today's tables, for one schema. A step that was released is never edited: add another, which leaves
 * tables and functions usable to processes of the version before, or sets `usableFrom` to its own version. In a deploy servers of
 * both run beside each other, and a rollback starts the old one on the new tables.
 */
const migrations: readonly ((schema: string) => string)[] = [firstStep];

/** The version of the tables that this Catnap works with. */
export const schemaVersion: number = migrations.length;

/** The oldest version whose processes can work with today's tables. */
const usableFrom = 1;

/** What `raise` in the script below says of tables with which this Catnap cannot work, since a later one has made them. */
export const newerVersionState = "CN001";

/**
 * The statement that brings a schema, whose name comes quoted, to today's tables from whatever version it has, and leaves
 * those of a later one as they are. One statement, so whole or not at all, and one at a time by an advisory lock.
 */
export function migrationScript(schema: string): string {
  const steps = migrations.map((step, index) => `IF _version <= ${index} THEN ${step(schema)} END IF;`);
  return `DO $catnap$
DECLARE
  _version integer;
  _usable_from integer;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('catnap'), hashtext('${channelOf(schema)}'));
  IF to_regclass('${schema}.version') IS NULL THEN
    IF to_regnamespace('${schema}') IS NULL THEN
      CREATE SCHEMA ${schema};
    END IF;
    CREATE TABLE ${schema}.version (version integer NOT NULL, usable_from integer NOT NULL);
    INSERT INTO ${schema}.version VALUES (0, 0);
  END IF;
  SELECT version, usable_from INTO STRICT _version, _usable_from FROM ${schema}.version;
  IF _usable_from > ${schemaVersion} THEN
    RAISE EXCEPTION USING ERRCODE = '${newerVersionState}', MESSAGE = format('version %s', _version);
  END IF;
  ${steps.join("\n")}
  UPDATE ${schema}.version SET version = ${schemaVersion}, usable_from = ${usableFrom} WHERE version < ${schemaVersion};
END $catnap$`;
}
