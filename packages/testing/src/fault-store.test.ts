import { memoryStore } from "@catnap/server/memory";
import { describe, expect, test } from "vitest";
import { type Fault, faultStore, type StoreCall } from "./fault-store.ts";
import { born, commit } from "./laws/law.ts";
import { storeLaws } from "./store-laws.ts";

const put = commit({ set: { a: "1" } });

/** A store with a session `s` at revision 1 whose next writes meet the fault. */
async function faulty(fault: Fault) {
  const inner = memoryStore();
  await born(inner, "s");
  return { inner, store: faultStore(inner, ({ method }) => (method === "write" ? fault : undefined)) };
}

describe("faultStore that lets everything pass keeps the law:", () => {
  for (const law of storeLaws) {
    test(law.name, async ({ skip }) => {
      const outcome = await law.check(async () => ({ store: faultStore(memoryStore(), () => undefined) }));
      if (outcome.kind === "skipped") skip(outcome.reason);
    });
  }
});

test("fail-before: the store never hears of the call", async () => {
  const { inner, store } = await faulty({ kind: "fail-before" });
  await expect(store.write("s", put)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect((await inner.read("s"))?.rev).toBe(1);
});

test("fail-after: the store does it and the caller is told that it failed", async () => {
  const error = new Error("connection reset");
  const { inner, store } = await faulty({ kind: "fail-after", error });
  await expect(store.write("s", put)).rejects.toBe(error);
  expect((await inner.read("s"))?.rev).toBe(2);
});

test.for(["delay-before", "delay-after"] as const)("%s holds the call or its answer back", async (kind) => {
  let release = () => {};
  const until = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { inner, store } = await faulty({ kind, until });
  let answered = false;
  const write = store.write("s", put).then((result) => {
    answered = true;
    return result;
  });
  expect((await inner.read("s"))?.rev).toBe(kind === "delay-before" ? 1 : 2);
  expect(answered).toBe(false);
  release();
  expect(await write).toEqual({ ok: true, rev: 2 });
});

test("the decision sees every call in order", async () => {
  const calls: StoreCall[] = [];
  const store = faultStore(memoryStore(), (call) => void calls.push(call));
  await store.read("s");
  await store.sweep(5, 10);
  expect(calls).toEqual([
    { method: "read", arguments: ["s"], index: 0 },
    { method: "sweep", arguments: [5, 10], index: 1 },
  ]);
});
