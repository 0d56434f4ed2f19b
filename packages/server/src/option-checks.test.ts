import { expect, test } from "vitest";
import { known, oneOf, seconds, whole } from "./option-checks.ts";

const names = ["durability", "lockTimeout", "cacheBytes"];
const refused = (message: string) => expect.objectContaining({ code: "INVALID_OPTION", message });

test.for([
  ["durabilty", "durability"],
  ["Durability", "durability"],
  ["locktimeout", "lockTimeout"],
  ["lockTimeoutMs", "lockTimeout"],
  ["cacheByte", "cacheBytes"],
  ["cachebites", "cacheBytes"],
] as const)("%s is refused with the option that was meant, %s", ([wrong, meant]) => {
  expect(() => known("sqliteStore", { [wrong]: 1 }, names)).toThrow(
    refused(`sqliteStore has no option "${wrong}": did you mean "${meant}"?`),
  );
});

test.for(["ttl", "maxSessions", "", "constructor", "toString"])("%s is like none, so that all are named", (wrong) => {
  expect(() => known("sqliteStore", { [wrong]: 1 }, names)).toThrow(
    refused(`sqliteStore has no option "${wrong}": it takes durability, lockTimeout, cacheBytes`),
  );
});

test("of two names that are alike the nearer one is meant", () => {
  expect(() => known("f", { timeoutss: 1 }, ["timeout", "timeouts"])).toThrow(/did you mean "timeouts"/);
  expect(() => known("f", { touchIntervall: 1 }, ["sweepInterval", "touchInterval"])).toThrow(/mean "touchInterval"/);
});

test("options that exist pass, whatever they are, and so do none", () => {
  known("sqliteStore", {}, names);
  known("sqliteStore", { durability: undefined, cacheBytes: null }, names);
});

test.for([
  [null, "null"],
  [undefined, "undefined"],
  [5, "5"],
  ["durability", '"durability"'],
  [true, "true"],
  [[], "an array"],
  [() => 0, "a function"],
])("%s is no options object", ([options, shown]) => {
  expect(() => known("sqliteStore", options, names)).toThrow(
    refused(
      `sqliteStore takes its options as an object with any of durability, lockTimeout, cacheBytes: pass one instead of ${shown}`,
    ),
  );
});

test("a name without end is cut", () => {
  expect(() => known("f", { ["x".repeat(1e6)]: 1 }, ["a"])).toThrow(
    refused(`f has no option "${"x".repeat(60)}": it takes a`),
  );
});

test.for([
  ["5", '"5"'],
  [Number.NaN, "NaN"],
  [-1, "-1"],
  [null, "null"],
  [true, "true"],
  [[], "an array"],
  [Object.create(null), "an object"],
  [Symbol("s"), "a symbol"],
  [5n, "a bigint"],
  [() => 5, "a function"],
  ["x".repeat(1000), `"${"x".repeat(60)}"`],
])("whatever a wrong value is, it is refused by name: %#", ([value, shown]) => {
  // What a caller without types may pass.
  const wrong = value as never;
  expect(() => seconds("timeout", wrong)).toThrow(
    refused(`timeout is ${shown}: give a finite number of seconds above 0`),
  );
  expect(() => seconds("grace", wrong, 0)).toThrow(
    refused(`grace is ${shown}: give a finite number of seconds, 0 or more`),
  );
  expect(() => whole("maxBatch", wrong)).toThrow(refused(`maxBatch is ${shown}: give a whole number from 1`));
  expect(() => oneOf("guard", wrong, ["refuse", "report"])).toThrow(
    refused(`guard is ${shown}: choose one of refuse, report`),
  );
});
