import { channelOf } from "./expressions.ts";
import { firstStep } from "./first-step.ts";

/** Every step from nothing to today's tables, for one schema. A step that was released is never edited: add another. */
const migrations: readonly ((schema: string) => string)[] = [firstStep];

/** The version of the tables that this Catnap works with. */
export const schemaVersion: number = migrations.length;

/** What `raise` in the script below says of tables that a later Catnap has made. */
export const newerVersionState = "CN001";

/**
 * The statement that brings a schema, whose name comes quoted, to today's tables from whatever version it has. One
 * statement, so whole or not at all, and one at a time by an advisory lock.
 */
export function migrationScript(schema: string): string {
  const steps = migrations.map((step, index) => `IF _version <= ${index} THEN ${step(schema)} END IF;`);
  return `DO $catnap$
DECLARE
  _version integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('catnap'), hashtext('${channelOf(schema)}'));
  IF to_regclass('${schema}.version') IS NULL THEN
    IF to_regnamespace('${schema}') IS NULL THEN
      CREATE SCHEMA ${schema};
    END IF;
    CREATE TABLE ${schema}.version (version integer NOT NULL);
    INSERT INTO ${schema}.version VALUES (0);
  END IF;
  SELECT version INTO STRICT _version FROM ${schema}.version;
  IF _version > ${schemaVersion} THEN
    RAISE EXCEPTION USING ERRCODE = '${newerVersionState}', MESSAGE = format('version %s', _version);
  END IF;
  ${steps.join("\n")}
  UPDATE ${schema}.version SET version = ${schemaVersion};
END $catnap$`;
}
