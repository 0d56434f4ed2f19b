import fc from "fast-check";
import { expect, test } from "vitest";
import { afterEntry, afterField, armour, disarm } from "./text.ts";

const awkward = fc.string({
  unit: fc.oneof(
    fc.constantFrom("\0", "\u0001", "\u0002", "\u0003", "\u0004", "\u0005", "d800", "\ud800", "\udc00", "🐈"),
    fc.string({ unit: "binary", maxLength: 1 }),
  ),
});

test("texts come back as they were, as text that PostgreSQL holds", () => {
  fc.assert(
    fc.property(awkward, (plain) => {
      const armoured = armour(plain);
      expect(armoured).not.toMatch(/[\0\p{Surrogate}]/u);
      expect(disarm(armoured)).toBe(plain);
    }),
  );
});

test("what stands between texts is in none of them, nor where two of them meet", () => {
  fc.assert(
    fc.property(awkward, awkward, (one, other) => {
      for (const between of [afterField, afterEntry]) {
        const [, ...parts] = [armour(one), armour(other)].join(between).split(between);
        expect(parts).toEqual([armour(other)]);
      }
    }),
  );
});

test("texts keep their order, lone surrogates aside", () => {
  const ordered = fc.string({ unit: fc.constantFrom("\0", "\u0001", "\u0002", "\u0003", "0", "a", "d") });
  fc.assert(
    fc.property(ordered, ordered, (a, b) => {
      expect(armour(a) < armour(b)).toBe(a < b);
    }),
  );
});

test("texts of any other form are refused", () => {
  fc.assert(
    fc.property(awkward, (damaged) => {
      const plain = disarm(damaged);
      if (plain !== undefined && !/[\0\p{Surrogate}]/u.test(damaged)) expect(armour(plain)).toBe(damaged);
    }),
  );
});
