import fc from "fast-check";
import { expect, test } from "vitest";
import { k, shop } from "../../test/shop.ts";
import { Memory } from "./memory.ts";

const action = fc.record({
  kind: fc.constantFrom("set", "set", "set", "set", "ask", "forget one", "forget all"),
  name: fc.nat(3).map((n) => k(n) as string),
  value: fc.option(fc.string({ maxLength: 3 }).map((text) => JSON.stringify(text))),
  rev: fc.integer({ min: 1, max: 9 }),
});

test("the sum of the values is that of what is there, whatever was set, deleted, came late or was forgotten", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
      const memory = new Memory(shop);
      for (const { kind, name, value, rev } of actions) {
        if (kind === "set") memory.setBase(name, { value, rev });
        else if (kind === "forget one") memory.clearBase((one) => one === name);
        else if (kind === "forget all") memory.clearBase();
        else void memory.sum;
      }
      const anew = new Memory(shop);
      for (const [name, entry] of memory.base) anew.setBase(name, entry);
      expect(memory.sum >>> 0).toBe(anew.sum >>> 0);
    }),
  );
});
