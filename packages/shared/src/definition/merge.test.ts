import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { counter } from "./definition.ts";
import { merge } from "./merge.ts";

interface Line {
  readonly sku: string;
  readonly count: number;
  readonly gift?: boolean;
}
const lines = merge.byId("sku");
const line = (sku: string, count = 1): Line => ({ sku, count });
const cart = fc.uniqueArray(fc.record({ sku: fc.constantFrom("a", "b", "c", "d"), count: fc.nat(5) }), {
  selector: (l) => l.sku,
});

describe("every merge", () => {
  test("gives mine when theirs did not change, and theirs when mine did not", () => {
    fc.assert(
      fc.property(cart, cart, (base, changed) => {
        expect(new Set(lines(base, changed, base))).toEqual(new Set(changed));
        expect(lines(base, base, changed)).toEqual(changed);
        const [from, to] = [base.map((l) => l.sku), changed.map((l) => l.sku)];
        expect(new Set(merge.union(from, to, from))).toEqual(new Set(to));
        expect(merge.union(from, from, to)).toEqual(to);
      }),
    );
  });

  test("takes a change that came twice once", () => {
    fc.assert(
      fc.property(cart, cart, (base, changed) => {
        expect(lines(base, changed, changed)).toEqual(changed);
        expect(merge.fields({ a: 1, b: 1 }, { a: 2, b: 1 }, { a: 2, b: 1 })).toEqual({ a: 2, b: 1 });
      }),
    );
  });
});

test("union keeps what either added and drops what either removed", () => {
  expect(merge.union(["a", "b"], ["b", "c"], ["a", "b", "d"])).toEqual(["b", "d", "c"]);
  expect(merge.union(undefined, new Set([1]), new Set([2]))).toEqual(new Set([2, 1]));
  expect(merge.union([{ n: 1 }], [{ n: 1 }, { n: 2 }], [{ n: 1 }])).toEqual([{ n: 1 }, { n: 2 }]);
});

test("max keeps the larger", () => {
  expect(merge.max(1, 2, 3)).toBe(3);
  expect(merge.max(undefined, new Date(9), new Date(3))).toEqual(new Date(9));
});

test("fields keeps the field that each side changed", () => {
  expect(merge.fields({ a: 1, b: 1, c: 1 }, { a: 2, b: 1 }, { a: 1, b: 3, c: 1 })).toEqual({ a: 2, b: 3 });
});

describe("byId", () => {
  test("keeps lines that either added, and drops lines that either removed", () => {
    expect(lines([line("a"), line("b")], [line("b"), line("c")], [line("a"), line("b"), line("d")])).toEqual([
      line("b"),
      line("d"),
      line("c"),
    ]);
  });
  test("joins two changes of one line by its fields", () => {
    const [base, mine, theirs] = [[line("a", 1)], [line("a", 2)], [{ ...line("a", 1), gift: true }]];
    expect(lines<readonly Line[]>(base, mine, theirs)).toEqual([{ sku: "a", count: 2, gift: true }]);
  });
  test("keeps a line that one side changed while the other removed it", () => {
    expect(lines([line("a", 1)], [], [line("a", 2)])).toEqual([line("a", 2)]);
    expect(lines([line("a", 1)], [line("a", 2)], [])).toEqual([line("a", 2)]);
  });
});

test("a counter adds the changes of both sides", () => {
  const add = counter().merge as (base: number | undefined, mine: number, theirs: number) => number;
  fc.assert(
    fc.property(
      fc.nat(),
      fc.nat(),
      fc.nat(),
      (base, up, down) => add(base, base + up, base - down) === base + up - down,
    ),
  );
  expect(add(undefined, 1, 1)).toBe(2);
});
