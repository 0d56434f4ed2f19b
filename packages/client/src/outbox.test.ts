import { expect, test } from "vitest";
import { shop } from "../test/world.ts";
import { Memory } from "./memory.ts";
import { Outbox } from "./outbox.ts";

test("an op that is decided is not brought back by a row or a message that comes late", () => {
  const memory = new Memory(shop);
  const outbox = new Outbox(memory);
  const op = { seq: 5, key: "note", value: '"x"', base: 0 };
  outbox.hear({ ...op, writer: "sibling" });
  memory.settle();
  expect(memory.get("note")).toBe('"x"');
  outbox.acknowledge("sibling", 5);
  outbox.hear({ ...op, writer: "sibling" });
  outbox.adopt([{ identifier: null, profile: "p", writer: "sibling", op }]);
  memory.settle();
  expect(memory.get("note")).toBeNull();
  expect(outbox.others.size).toBe(0);
  expect(outbox.clock).toBe(5);
});
