import fc from "fast-check";
import { expect, test } from "vitest";
import { checksum } from "./checksum.ts";

const values = fc.dictionary(fc.string(), fc.string()).map((one) => Object.entries(one));

test("the order of the values does not matter", () => {
  fc.assert(fc.property(values, (some) => checksum(some) === checksum(some.toReversed())));
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
  for (const other of others) expect(checksum(other)).not.toBe(checksum(some));
});
