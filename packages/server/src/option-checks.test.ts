import { expect, test } from "vitest";
import { known } from "./option-checks.ts";

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

test.for([null, 5, "durability", true, [], () => 0])("%s is no options object", (options) => {
  expect(() => known("sqliteStore", options, names)).toThrow(
    refused(
      "sqliteStore takes its options as an object with any of durability, lockTimeout, cacheBytes: pass one, or leave it out",
    ),
  );
});

test("a name without end is cut", () => {
  expect(() => known("f", { ["x".repeat(1e6)]: 1 }, ["a"])).toThrow(
    refused(`f has no option "${"x".repeat(60)}": it takes a`),
  );
});
