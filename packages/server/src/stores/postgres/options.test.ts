import pg from "pg";
import { expect, test } from "vitest";
import { postgresStore } from "./postgres-store.ts";

const invalid = (message: string) =>
  expect.objectContaining({ name: "SessionError", code: "INVALID_OPTION", message: expect.stringContaining(message) });

const remedy = ": pass a Pool of pg, such as new Pool({ connectionString })";
const pool = new pg.Pool();

test.for([
  [undefined, "undefined"],
  [null, "null"],
  ["postgres://user:canary@host/db", "a string"],
  [{}, "an object"],
  [{ connectionString: "postgres://user:canary@host/db" }, "an object"],
  [new pg.Client(), "an object"],
  [pg.Pool, "a function"],
  [Promise.resolve(pool), "an object"],
] as const)("what is no pool is refused by its kind, and a URL's password is not told: %#", ([wrong, kind]) => {
  // What a caller without types may pass.
  expect(() => postgresStore(wrong as never)).toThrow(invalid(`postgresStore: the first argument is ${kind}${remedy}`));
  if (wrong === undefined) return;
  expect(() => postgresStore(pool, { listen: wrong as never })).toThrow(
    invalid(`postgresStore: listen is ${kind}${remedy}`),
  );
});

const asSchema = "give at most 51 lower case letters, digits and _, the first no digit";
test.for([
  ...["", "Catnap", "a-b", 'a"b', "1a", "a;b", "ž"].map((schema) => [{ schema }, `schema is "${schema}`] as const),
  [{ schema: "a".repeat(52) }, `schema is "${"a".repeat(52)}": ${asSchema}`],
  [{ schema: 5 }, `schema is 5: ${asSchema}`],
  [{ schema: null }, `schema is null: ${asSchema}`],
  [{ schema: Symbol("s") }, `schema is a symbol: ${asSchema}`],
  [{ timeout: 0 }, "timeout is 0: give a finite number of seconds above 0"],
  [{ timeout: -1 }, "timeout is -1: give"],
  [{ timeout: Number.NaN }, "timeout is NaN: give"],
  [{ timeout: 3601 }, "timeout is 3601: give a number of seconds above 0, at most 3600"],
  [{ timeout: "5" }, 'timeout is "5": give'],
  [{ cacheBytes: -1 }, "cacheBytes is -1: give a number of bytes, 0 or more"],
  [{ cacheBytes: "5" }, 'cacheBytes is "5": give'],
  [{ notify: "no" }, 'notify is "no": give true or false'],
  [{ prepare: "no" }, 'prepare is "no": give true or false'],
  [{ listen: pool, notify: false }, "listen needs notify: leave one of them out"],
] as const)("an option is refused with its name, the rule and a remedy: %j", ([options, message]) => {
  // What a caller without types may pass.
  const refused = invalid(`postgresStore: ${message.replace('"a"b', '"a\\"b')}`);
  expect(() => postgresStore(pool, options as never)).toThrow(refused);
});

test.for([
  [{ schma: "x" }, 'postgresStore has no option "schma": did you mean "schema"?'],
  [null, "postgresStore takes its options as an object"],
  ["schema", "postgresStore takes its options as an object"],
] as const)("options that do not exist are refused with the one that was meant: %j", ([options, message]) => {
  // What a caller without types may pass.
  expect(() => postgresStore(pool, options as never)).toThrow(invalid(message));
});
