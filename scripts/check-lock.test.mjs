import { expect, test } from "vitest";
import { drift, lockProblems } from "./check-lock.mjs";

test("an optional dependency without an entry is a problem, wherever the entry may be", () => {
  const packages = {
    "": { optionalDependencies: { a: "1" } },
    "node_modules/b": { optionalDependencies: { a: "1", c: "1", "@d/e": "1" } },
    "node_modules/a": {},
    "node_modules/b/node_modules/c": {},
  };
  expect(lockProblems(packages)).toEqual(["node_modules/b → @d/e"]);
});

test("an entry that names its host is a problem, a workspace's link is not", () => {
  const packages = {
    "node_modules/a": { resolved: "https://host.example/a.tgz" },
    "node_modules/b": { resolved: "packages/b", link: true },
  };
  expect(lockProblems(packages)).toEqual(["node_modules/a → https://host.example/a.tgz"]);
});

test("a dependency that the lock file's entry of a package lacks, or has in another range, is drift", () => {
  const manifest = { dependencies: { a: "^1", b: "^2" }, optionalDependencies: { c: "^3" } };
  expect(drift(manifest, { optionalDependencies: { c: "^3" }, dependencies: { b: "^2", a: "^1" } })).toEqual([]);
  expect(drift(manifest, { dependencies: { a: "^1", b: "^1", d: "^4" } })).toEqual(["b ^2", "c ^3", "b ^1", "d ^4"]);
});
