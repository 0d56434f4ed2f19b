import fc from "fast-check";
import { expect, test } from "vitest";
import { unitsWith, withChanges } from "./entries.ts";
import type { Entry, EntryChange } from "./store.ts";

const name = fc.nat(99).map((n) => (n % 10 === 0 ? `~${n}` : `k${n}`));
const value = fc.option(fc.option(fc.string({ maxLength: 5 })), { nil: undefined });
const commits = fc.array(fc.uniqueArray(fc.tuple(name, value), { maxLength: 6, selector: ([key]) => key }), {
  maxLength: 30,
});

/** What the definition knows. */
const own = { has: (key: string) => !key.startsWith("~") };

test("entries after any commits are those of a plain map, in its order unless one came back, and so is their length", () => {
  const start = fc.integer({ min: 0, max: 60 });
  fc.assert(
    fc.property(start, commits, (size, all) => {
      const plain = new Map<string, Entry>();
      for (let n = 0; n < size; n++) plain.set(`k${n}`, { value: "x", rev: 1, writer: "w", seq: n });
      let entries: ReadonlyMap<string, Entry> = new Map(plain);
      let back = false;
      const gone = new Set<string>();
      for (const [n, commit] of all.entries()) {
        const rev = n + 2;
        const changes = new Map<string, EntryChange>(
          commit.map(([key, value]) => [key, { value, writer: "w", seq: n }]),
        );
        const [before, had] = [entries, [...entries]];
        const units = unitsWith(entries, changes, own);
        entries = withChanges(entries, changes, rev);
        for (const [key, { value, writer, seq }] of changes) {
          if (value === undefined) plain.delete(key);
          else plain.set(key, { value, rev, writer, seq });
          if (value === undefined) gone.add(key);
          else back ||= gone.has(key);
        }
        const [all, expected] = [[...entries], [...plain]];
        if (back) for (const list of [all, expected]) list.sort(([a], [b]) => (a < b ? -1 : 1));
        expect(all).toEqual(expected);
        expect([...before]).toEqual(had);
        expect(entries.size).toBe(plain.size);
        expect([...entries.keys()]).toEqual([...entries].map(([key]) => key));
        expect([...entries.values()]).toEqual([...entries].map(([, entry]) => entry));
        for (let k = 0; k < 100; k++) {
          for (const key of [`k${k}`, `~${k}`]) {
            expect(entries.get(key)).toBe([...entries].find(([one]) => one === key)?.[1]);
            expect(entries.has(key)).toBe(plain.has(key));
          }
        }
        const mine = [...plain].filter(([key]) => own.has(key));
        expect(units).toBe(mine.reduce((sum, [, { value }]) => sum + (value?.length ?? 0), 0));
        expect(unitsWith(entries, new Map(), own)).toBe(units);
      }
    }),
  );
});

test("a large value that was replaced is not kept beneath its successor", () => {
  const entry = (value: string): Entry => ({ value, rev: 1, writer: "w", seq: 0 });
  const before = new Map(Array.from({ length: 40 }, (_, n) => [`k${n}`, entry("x".repeat(10_000))]));
  const put = (name: string) => new Map([[name, { value: "", writer: "w", seq: 1 }]]);
  const one = withChanges(before, put("k1"), 2);
  expect(one).not.toBeInstanceOf(Map);
  // Two such values: what is left is a map of its own, which holds no other.
  expect(withChanges(one, put("k2"), 3)).toBeInstanceOf(Map);
});
