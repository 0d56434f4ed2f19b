import { expect, test, vi } from "vitest";
import { open, shop } from "../../test/world.ts";
import { Memory } from "./memory.ts";
import { Outbox } from "./outbox.ts";

const now = () => 7;

test("an op is written to disk once it is frozen, and again where its script was ended before, under a later number than all", () => {
  const outbox = new Outbox(new Memory(shop), now);
  outbox.clock = 8;
  const [op] = write(outbox, "visits", "1");
  expect(op?.seq).toBe(9);
  const disk = vi.fn(() => undefined);
  void outbox.save(disk);
  outbox.freeze(outbox.fresh());
  const end = () => {
    throw new Error("ended");
  };
  expect(() => outbox.save(end)).toThrow("ended");
  for (const _ of [1, 2]) void outbox.save(disk);
  expect(disk.mock.calls).toEqual([
    [[], []],
    [[op], []],
    [[], []],
  ]);
});

function write(outbox: Outbox, name: string, encoded: string) {
  const key = shop.keys.get(name);
  if (key) outbox.write(key, encoded, "me");
  return [...outbox.own.values()];
}

test("an op that is decided is not brought back by a row or a message that comes late", () => {
  const memory = new Memory(shop);
  const outbox = new Outbox(memory, now);
  const op = { seq: 5, key: "note", value: '"x"', base: 0 };
  outbox.hear({ ...op, writer: "sibling" });
  memory.settle();
  expect(memory.get("note")).toBe('"x"');
  outbox.acknowledge("sibling", 5);
  outbox.hear({ ...op, writer: "sibling" });
  outbox.adopt([{ identifier: null, epoch: "e", profile: "p", writer: "sibling", op }]);
  memory.settle();
  expect(memory.get("note")).toBeNull();
  expect(outbox.others.size).toBe(0);
  expect(outbox.clock).toBe(5);
});

/** Rows of another page load, whose first answer has decided all up to 6 but for these. */
function waiting(...left: number[]) {
  const outbox = new Outbox(new Memory(shop), now);
  const rows = [3, 5, 7].map((seq) => ({ seq, key: "visits", value: String(seq), base: 0, writer: "other" }));
  outbox.adopt(rows.map((op) => ({ identifier: null, epoch: "e", profile: "p", writer: "other", op })));
  outbox.acknowledge("other", 6, left);
  return { outbox, waits: () => rows.filter((op) => outbox.isWaiting(op)).map(({ seq }) => seq) };
}

test("an answer that is behind makes nothing wait that a later one has not met", () => {
  const { outbox, waits } = waiting(3);
  outbox.acknowledge("other", 4, [3, 7]);
  expect(waits()).toEqual([3]);
  expect(outbox.isDue).toBe(true);
});

test("an answer that is behind, and has decided some of what waits, takes nothing else for decided", () => {
  const { outbox, waits } = waiting(3, 5);
  outbox.acknowledge("other", 4);
  expect(waits()).toEqual([5]);
  expect(outbox.opsOf("other").map(({ seq }) => seq)).toEqual([5, 7]);
});

test("a change is made on what was shown: over a pending change, on that one's base", () => {
  const memory = new Memory(shop);
  const outbox = new Outbox(memory, now);
  memory.setBase("note", { value: '"start"', rev: 3 });
  memory.settle();
  expect(write(outbox, "note", '"milk"')).toMatchObject([{ base: 3 }]);
  // Another device's change arrives, and is not seen: the own one is on top.
  memory.setBase("note", { value: '"bread"', rev: 4 });
  memory.settle();
  expect(write(outbox, "note", '"cream"')).toMatchObject([{ base: 3, value: '"cream"' }]);
  outbox.acknowledge("me", outbox.clock);
  memory.settle();
  expect(memory.get("note")).toBe('"bread"');
  expect(write(outbox, "note", '"tea"')).toMatchObject([{ base: 4 }]);
});

test("a change over a sibling's pending one is made on that one's base", () => {
  const memory = new Memory(shop);
  const outbox = new Outbox(memory, now);
  memory.setBase("note", { value: '"start"', rev: 3 });
  outbox.hear({ seq: 5, key: "note", value: '"milk"', base: 3, writer: "sibling" });
  memory.setBase("note", { value: '"bread"', rev: 4 });
  memory.settle();
  expect(write(outbox, "note", '"cream"')).toMatchObject([{ base: 3 }]);
});

test("a write looks at none of the other changes that wait, and how many they are is known all the same", () => {
  const { session } = open().browser.tab();
  for (const name of ["note", "pin"] as const) session.setValue(name, "1234");
  const all = vi.spyOn(Memory.prototype, "all");
  session.update("visits", (visits) => visits + 1);
  expect([session.status().pending, all.mock.calls]).toEqual([3, []]);
  session.update("visits", (visits) => visits + 1);
  session.delValue("note");
  expect([session.status().pending, all.mock.calls]).toEqual([3, []]);
  all.mockRestore();
});
