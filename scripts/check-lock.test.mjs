import { expect, test } from "vitest";
import { lockProblems } from "./check-lock.mjs";

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
