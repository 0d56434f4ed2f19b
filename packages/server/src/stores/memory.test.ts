import { storeLaws } from "@catnap/testing";
import { describe, expect, test } from "vitest";
import { memoryStore } from "./memory.ts";

const commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: new Map() };
const birth = { ...commit, create: { createdAt: 0, endsAt: 100 }, timeoutMs: 100 };

describe("memoryStore keeps the law:", () => {
  for (const law of storeLaws) {
    test(law.name, async ({ skip }) => {
      const outcome = await law.check(async () => ({ store: memoryStore() }));
      if (outcome.kind === "skipped") skip(outcome.reason);
    });
  }
});

test("drops the session that was not read or written for longest, and tells its watchers", async () => {
  const store = memoryStore({ maxSessions: 3 });
  const heard: number[] = [];
  for (const key of ["a", "b", "c"]) await store.write(key, birth);
  store.watch?.("c", (rev) => heard.push(rev));
  await store.read("a");
  await store.write("b", commit);
  await store.write("d", birth);
  expect((await store.find({ limit: 9 })).items.map((info) => info.identifier)).toEqual(["a", "b", "d"]);
  expect(heard).toEqual([0]);
});

test.each([0, -1, 1.5, Number.NaN, "many"])("refuses maxSessions %s", (maxSessions) => {
  // What a caller without types may pass.
  const options = { maxSessions: maxSessions as number };
  expect(() => memoryStore(options)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
});
