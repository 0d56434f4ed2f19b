import fc from "fast-check";
import { expect, test } from "vitest";
import { checksum, differ, valueSum } from "./checksum.ts";

const sum = (some: [string, string][], fingerprint = "print") =>
  checksum(
    { fingerprint },
    some.reduce((all, [name, value]) => all + valueSum(name, value), 0),
  );
const values = fc.dictionary(fc.string(), fc.string()).map((one) => Object.entries(one));

test("the order of the values does not matter", () => {
  fc.assert(fc.property(values, (some) => sum(some) === sum(some.toReversed())));
});

test("a value that is taken away leaves the sum of the others, however many came and went", () => {
  fc.assert(
    fc.property(values, values, (some, others) => {
      const add = (all: number, [name, value]: [string, string]) => all + valueSum(name, value);
      const both = [...some, ...others].reduce(add, 0);
      const left = others.reduce((all, [name, value]) => all - valueSum(name, value), both);
      return checksum({ fingerprint: "print" }, left) === sum(some);
    }),
  );
});

test("one value more, less, or another one makes another checksum", () => {
  const some: [string, string][] = [
    ["note", '"x"'],
    ["visits", "1"],
  ];
  const others: [string, string][][] = [
    [["note", '"x"']],
    [...some, ["theme", '"dark"']],
    [
      ["note", '"y"'],
      ["visits", "1"],
    ],
    [
      ["visits", '"x"'],
      ["note", "1"],
    ],
    [],
  ];
  for (const other of others) expect(differ(sum(other), sum(some))).toBe(true);
  expect(differ(sum(some), sum(some))).toBe(false);
});

test("values of two definitions do not differ: nobody can tell", () => {
  expect(differ(sum([["note", "1"]]), sum([["note", "2"]], "other"))).toBe(false);
});
