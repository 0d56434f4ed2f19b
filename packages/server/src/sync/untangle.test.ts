import { encode } from "@catnap/shared";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bombs } from "../../test/hostile.ts";
import { untangle } from "./untangle.ts";

const room = 131_072;
const marked = (json: unknown, meta: unknown) => `~${JSON.stringify({ json, meta })}`;

/** Everything that a session carries, nested. */
const anyValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, undefined, Number.NaN, -0, Number.POSITIVE_INFINITY, "a.b", "\\", "é"),
    fc.double(),
    fc.string(),
    fc.bigInt(),
    fc.date({ noInvalidDate: true }),
    fc.constantFrom(/a.b/g, new URL("https://shop.example/a.b")),
    fc.uint8Array({ maxLength: 5 }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(tie("value"), { maxLength: 4 }).map((items) => new Set(items)),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 4 }).map((pairs) => new Map(pairs)),
    fc.dictionary(fc.oneof(fc.constantFrom("a.b", "\\.", "", "0", "00"), fc.string()), tie("value"), { maxKeys: 4 }),
  ),
})).value;

const poisonous = /__proto__|constructor|prototype/;

test("what encode made is decoded to what it was made from", () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      if (value === undefined) return;
      let text: string;
      try {
        text = encode(value);
      } catch {
        return; // a name that no session carries
      }
      if (!poisonous.test(text)) expect(untangle(text, "key", room)).toEqual(value);
    }),
    { numRuns: 2_000 },
  );
});

test("one object in two places is two equal ones", () => {
  const shared = { at: new Date(5) };
  const text = encode({ first: shared, second: shared, set: new Set([shared]) });
  expect(untangle(text, "key", room)).toEqual({ first: shared, second: shared, set: new Set([shared]) });
});

describe("text of a stranger's", () => {
  /** Milliseconds of the fastest of some runs: a machine that does other things as well is no fault of the text's. */
  const costOf = (text: string) => {
    let least = Number.POSITIVE_INFINITY;
    for (let run = 0; run < 5; run++) {
      const before = performance.now();
      try {
        untangle(text, "key", room);
      } catch {
        // Refused is as good.
      }
      least = Math.min(least, performance.now() - before);
    }
    return least;
  };
  const numbers = Array.from({ length: 13_000 }, (_, i) => i);
  const paths = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${12_999 - i}`);
  const dates = (prefix: string) => Object.fromEntries(paths(prefix, 4_000).map((path) => [path, ["Date"]]));
  const honest = encode(new Set(Array.from({ length: 3_000 }, (_, i) => new Date(i))));

  test.each(
    Object.entries({
      "references into a Set": marked(
        { s: numbers, o: {} },
        { values: { s: ["set"] }, referentialEqualities: { o: paths("s.", 4_000) }, v: 1 },
      ),
      "references to one end of a Set": marked(
        { s: numbers, o: [] },
        {
          values: { s: ["set"] },
          referentialEqualities: Object.fromEntries(paths("s.", 3_500).map((path) => [path, ["o.0"]])),
          v: 1,
        },
      ),
      "annotations into a Set that is made before": marked(
        { s: numbers.slice(0, 9_000) },
        { values: { s: ["set"], ...dates("s.") }, v: 1 },
      ),
      "the same by indices in another spelling": marked([numbers.slice(0, 9_000)], {
        values: { "0": ["set"], ...dates("00.") },
        v: 1,
      }),
      "annotations through the keys of a Map": marked(
        { m: numbers.slice(0, 4_000).map((i) => [i, i]) },
        {
          values: { m: ["map"], ...Object.fromEntries(paths("m.", 4_000).map((path) => [`${path}.1`, ["Date"]])) },
          v: 1,
        },
      ),
      "a path of 60,000 segments": marked({}, { values: { ["a.".repeat(60_000)]: ["Date"] }, v: 1 }),
      "annotations 9,000 deep": `~{"json":1,"meta":{"values":${'["set",{"a":'.repeat(9_000)}["Date"]${"}]".repeat(9_000)}}}`,
    }),
  )("costs no more than a few times an honest one of its length: %s", (_, text) => {
    expect(text.length).toBeLessThanOrEqual(room);
    costOf(honest);
    expect(costOf(text)).toBeLessThan(Math.max(4 * costOf(honest), 20));
  });

  test.each(Object.entries(bombs))("ends, as a value or as a refusal: %s", (_, text) => {
    try {
      untangle(text, "key", room);
    } catch (error) {
      expect(error).toMatchObject({ name: "SessionError", key: "key" });
    }
  });

  test.each([
    marked({ a: 1 }, { values: { toString: ["Date"] }, v: 1 }),
    marked([1], { values: { length: ["bigint"] }, v: 1 }),
    marked([1], { values: { "01": ["Date"] }, v: 1 }),
    marked({ name: "TypeError" }, { values: ["Error"], v: 1 }),
    marked(5, { values: ["set"], v: 1 }),
    marked(2_000_000_000, { values: [["typed-array", "Uint8Array"]], v: 1 }),
    marked("x", { values: [["symbol", "x"]], v: 1 }),
    marked("x", { values: "Date", v: 1 }),
    marked("x", { values: [null], v: 1 }),
  ])("is refused where it annotates what is not there, or what no session carries: %s", (text) => {
    expect(() => untangle(text, "key", room)).toThrow(expect.objectContaining({ code: "INVALID_VALUE" }));
  });
});
