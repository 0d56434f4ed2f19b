import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byteLength, decode, encode } from "./codec.ts";
import { isSessionError } from "./session-error.ts";

const refusal = (value: unknown) => {
  try {
    encode(value, "cart");
    return "accepted";
  } catch (error) {
    return isSessionError(error) ? `${error.code} ${error.key}` : error;
  }
};

test("whatever a session carries comes back as it was", () => {
  const { any } = fc.letrec<{ any: unknown }>((tie) => ({
    any: fc.oneof(
      { depthSize: "small" },
      fc.string(),
      fc.double(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.bigInt(),
      fc.date({ noInvalidDate: true }),
      fc.array(tie("any"), { maxLength: 4 }),
      fc.dictionary(
        fc.string({ minLength: 1 }).filter((k) => k !== "__proto__" && k !== "constructor" && k !== "prototype"),
        tie("any"),
        { maxKeys: 4, noNullPrototype: true },
      ),
      fc.uniqueArray(fc.string(), { maxLength: 3 }).map((items) => new Set(items)),
      fc
        .dictionary(fc.string(), fc.date({ noInvalidDate: true }), { maxKeys: 3 })
        .map((items) => new Map(Object.entries(items))),
    ),
  }));
  fc.assert(
    fc.property(any, (value) => {
      expect(decode(encode(value))).toEqual(value);
    }),
    { numRuns: 500 },
  );
});

test("what JSON carries exactly is plain JSON, and only the rest pays for superjson", () => {
  expect(encode({ a: [1, "x", null, true] })).toBe('{"a":[1,"x",null,true]}');
  for (const value of [-0, Number.NaN, 1n, { a: undefined }, new Date(0), [new Set([1])]]) {
    expect(encode(value)).toMatch(/^~/);
    expect(decode(encode(value))).toStrictEqual(value);
  }
});

describe("encode refuses", () => {
  class Cart {}
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const hostile: unknown = JSON.parse('{"__proto__": {"admin": true}}');
  const cases: Record<string, unknown> = {
    functions: () => 1,
    symbols: Symbol("s"),
    "instances of an app's classes": new Cart(),
    "such instances behind a value that superjson carries": [new Date(0), new Cart()],
    "such instances in a Map": new Map([["a", new Cart()]]),
    cycles: cycle,
    "prototype keys": hostile,
    "what superjson takes for an attack": { constructor: new Date(0) },
  };
  for (const [name, value] of Object.entries(cases)) {
    test(name, () => expect(refusal(value)).toBe("INVALID_VALUE cart"));
  }
});

test("decode refuses text that encode did not make", () => {
  for (const text of ["", "{", "~", "~{", "undefined", '~{"json":1,"meta":{"values":[["custom","x"]]}']) {
    expect(() => decode(text, "cart")).toThrow(expect.objectContaining({ code: "INVALID_VALUE", key: "cart" }));
  }
});

test("byteLength counts what UTF-8 takes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      expect(byteLength(text)).toBe(new TextEncoder().encode(text).length);
    }),
  );
});
