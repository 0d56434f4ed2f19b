import { defineSession, merge, value } from "@catnap/shared";
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
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

const lines = z.array(z.object({ sku: z.string(), count: z.number() }));

test("a change of a page of the version before is shown beside what the server holds, as this version has it", () => {
  const cart = value(lines, { merge: merge.byId("sku") });
  const migrate = (stored: unknown) =>
    (stored as { sku: string; n: number }[]).map(({ sku, n }) => ({ sku, count: n }));
  const definition = defineSession({ shared: { cart }, migrate: { cart: migrate } });
  const memory = new Memory(definition);
  memory.setBase("cart", { value: JSON.stringify([{ sku: "tea", count: 1 }]), rev: 1 });
  memory.add({
    writer: "older",
    seq: 1,
    key: "cart",
    value: JSON.stringify([{ sku: "cake", n: 2 }]),
    from: "[]",
    base: 0,
  });
  memory.settle();
  expect(memory.get("cart")).toBe('[{"sku":"tea","count":1},{"sku":"cake","count":2}]');
});

test("changes of the tab's own are not validated again to be merged and read", () => {
  let validated = 0;
  const counted = lines.refine(() => ++validated > 0);
  const { keys } = defineSession({ shared: { cart: value(counted, { merge: merge.byId("sku") }) } });
  const memory = new Memory({ ...shop, keys } as never);
  const cart = memory.key("cart");
  if (!cart) throw new Error("unreachable");
  const [one, two] = ['[{"sku":"cake","count":2}]', '[{"sku":"cake","count":3}]'];
  for (const [seq, value, from] of [
    [1, one, null],
    [2, two, one],
  ] as const) {
    const op = { writer: "own", seq, key: "cart", value, from, base: 0 };
    memory.trust(op);
    memory.add(op);
    memory.settle();
    expect(memory.read(cart)).toEqual(JSON.parse(value));
  }
  expect(validated).toBe(0);
});
