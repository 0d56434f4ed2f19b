import { storeLaws } from "@catnap/testing";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { SessionStore } from "../store.ts";
import { memoryStore } from "./memory-store.ts";

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

const member = (subject: string) => ({ ...birth, subject });
const keysOf = async (store: SessionStore) => (await store.find({ limit: 9999 })).items.map((info) => info.identifier);

describe("for want of room", () => {
  const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  beforeEach(() => warned.mockClear());
  afterAll(() => warned.mockRestore());

  test("the session goes that was not read or written for longest, and its watchers are told", async () => {
    const store = memoryStore({ maxSessions: 3 });
    const heard: number[] = [];
    for (const key of ["a", "b", "c"]) await store.write(key, birth);
    store.watch?.("c", (rev) => heard.push(rev));
    await store.read("a");
    await store.write("b", commit);
    await store.write("d", birth);
    expect(await keysOf(store)).toEqual(["a", "b", "d"]);
    expect(heard).toEqual([0]);
  });

  test("visitors do not log anybody out", async () => {
    const store = memoryStore({ maxSessions: 2000 });
    for (let i = 0; i < 1999; i++) await store.write(`member-${i}`, member("Alice"));
    for (let i = 0; i < 2001; i++) await store.write(`visitor-${i}`, birth);
    const left = await store.find({ limit: 9999 });
    expect(left.items.filter((info) => info.subject !== null)).toHaveLength(1999);
    expect(left.items.filter((info) => info.subject === null).map((info) => info.identifier)).toEqual(["visitor-2000"]);
  });

  test("somebody who is logged in goes where there is no visitor, and whoever has just come stays", async () => {
    const store = memoryStore({ maxSessions: 2 });
    await store.write("a", member("Alice"));
    await store.write("b", member("Bob"));
    await store.write("c", member("Carol"));
    expect(await keysOf(store)).toEqual(["b", "c"]);
    // A commit that was answered is there to be read, also that of a visitor among people.
    await store.write("v", birth);
    expect(await keysOf(store)).toEqual(["c", "v"]);
    await store.write("w", birth);
    expect(await keysOf(store)).toEqual(["c", "w"]);
  });

  test("a visitor who logs in is a visitor no more", async () => {
    const store = memoryStore({ maxSessions: 2 });
    await store.write("a", birth);
    await store.write("b", birth);
    await store.write("a", { ...commit, subject: "Alice" });
    await store.write("c", birth);
    await store.write("d", birth);
    expect(await keysOf(store)).toEqual(["a", "d"]);
  });

  test("one that has expired goes before one that lives, whoever it is", async () => {
    const store = memoryStore({ maxSessions: 2 });
    await store.write("a", { ...member("Alice"), timeoutMs: 10 });
    await store.write("b", birth);
    await store.write("c", { ...birth, now: 50, accessedAt: 50 });
    expect(await keysOf(store)).toEqual(["b", "c"]);
    expect(warned).not.toHaveBeenCalled();
  });

  test("it is said once that living sessions end, with the setting and what else to do", async () => {
    const store = memoryStore({ maxSessions: 1 });
    for (const key of ["a", "b", "c"]) await store.write(key, birth);
    expect(warned.mock.calls).toEqual([
      [
        "catnap: memoryStore holds maxSessions, 1, and from now on ends living sessions for new ones: raise maxSessions, or keep sessions in sqliteStore",
      ],
    ]);
  });

  test("what goes is what a plain list would let go", async () => {
    const step = fc.record({
      key: fc.constantFrom(..."abcdefgh"),
      kind: fc.constantFrom("write", "write", "login", "read", "touch", "delete"),
      timeoutMs: fc.constantFrom(5, 1000),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const store = memoryStore({ maxSessions: 4 });
        let list: { key: string; member: boolean; until: number }[] = [];
        for (const [now, { key, kind, timeoutMs }] of steps.entries()) {
          const known = list.find((each) => each.key === key);
          const use = (each: { key: string; member: boolean; until: number }) => {
            list = [...list.filter((other) => other.key !== each.key), each];
          };
          if (kind === "read") {
            await store.read(key);
            if (known) use(known);
          } else if (kind === "touch") {
            await store.touch([{ key, accessedAt: now, transactions: 1 }]);
            if (known && known.until > now) use(known);
          } else if (kind === "delete") {
            await store.delete(key);
            list = list.filter((each) => each !== known);
          } else {
            const at = { ...commit, now, ...(kind === "login" ? { subject: "s" } : {}) };
            const create = { createdAt: now, endsAt: now + timeoutMs };
            const result = await store.write(key, known ? at : { ...at, create, timeoutMs: 1e9 });
            expect(result.ok).toBe(!known || known.until > now);
            if (!result.ok) continue;
            use({
              key,
              member: kind === "login" || known?.member === true,
              until: known?.until ?? now + timeoutMs,
            });
            const others = list.filter((each) => each.key !== key);
            const [visitor, person] = [others.find((each) => !each.member), others.find((each) => each.member)];
            const expired = [visitor, person].find((each) => each && each.until <= now);
            if (list.length > 4) list = list.filter((each) => each !== (expired ?? visitor ?? person));
          }
        }
        expect(await keysOf(store)).toEqual(list.map((each) => each.key).sort());
      }),
    );
  });
});

test("a page is what a list that was sorted and filtered as a whole would give", async () => {
  const wish = fc.record({
    keys: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 2 }), { maxLength: 40 }),
    limit: fc.integer({ min: 1, max: 12 }),
    cursor: fc.string({ maxLength: 2 }),
    subject: fc.constantFrom(undefined, "s"),
  });
  await fc.assert(
    fc.asyncProperty(wish, async ({ keys, limit, cursor, subject }) => {
      const store = memoryStore();
      for (const [i, key] of keys.entries()) await store.write(key, i % 3 ? birth : member("s"));
      const sorted = keys.filter((key, i) => key > cursor && (subject === undefined || i % 3 === 0)).sort();
      const page = await store.find({ limit, cursor, ...(subject === undefined ? {} : { subject }) });
      expect(page.items.map((info) => info.identifier)).toEqual(sorted.slice(0, limit));
      expect(page.cursor).toBe(sorted.length > limit ? sorted[limit - 1] : undefined);
    }),
  );
});

test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "many", null])("refuses maxSessions %s", (maxSessions) => {
  // What a caller without types may pass.
  const options = { maxSessions: maxSessions as number };
  expect(() => memoryStore(options)).toThrow(
    expect.objectContaining({
      code: "INVALID_OPTION",
      message: expect.stringMatching(/^memoryStore: maxSessions is .*: give a whole number from 1$/),
    }),
  );
});

test("refuses options that do not exist", () => {
  const wrong = { maxSession: 5 };
  expect(() => memoryStore(wrong as object)).toThrow(
    /^memoryStore has no option "maxSession": did you mean "maxSessions"/,
  );
  expect(() => memoryStore(null as never)).toThrow(/^memoryStore takes its options as an object/);
});
