import { expect, test, vi } from "vitest";
import { open, storageOn, until } from "../../test/world.ts";
import { Epochs } from "./epochs.ts";

const key = "catnap:shop";
let ids = 0;
const id = (bytes: number) => String(++ids).padStart(Math.ceil((bytes * 4) / 3), "i");

/** A localStorage that holds so many characters. */
function storageOf(items: Map<string, string>, limit: () => number) {
  const storage = storageOn(() => items);
  return Object.assign(storage, {
    setItem(name: string, text: string) {
      const others = [...items].filter(([other]) => other !== name);
      const length = others.reduce((sum, [other, one]) => sum + other.length + one.length, name.length + text.length);
      if (length > limit()) throw new DOMException("full", "QuotaExceededError");
      items.set(name, text);
    },
  });
}

test("a logout holds in every tab, though the app has filled localStorage since the page was opened", async () => {
  const { browser } = open();
  let limit = Number.POSITIVE_INFINITY;
  const localStorage = storageOf(browser.marks, () => limit);
  const [a, b] = [1, 2].map(() => browser.tab({ surroundings: { localStorage } }));
  for (const tab of [a, b]) await tab?.session.awake();
  a?.session.setValue("note", "private-note");
  await a?.session.sleep();
  await until(() => b?.session.value("note", "") === "private-note");
  limit = [...browser.marks].reduce((sum, [name, text]) => sum + name.length + text.length, 0);
  await a?.session.invalidate();
  await until(() => !b?.session.hasValue("note"));
  expect((await browser.server()).identifier).toBeNull();
  expect(a?.session.hasValue("note")).toBe(false);
  const next = browser.tab({ surroundings: { localStorage } });
  await next.session.awake();
  expect(next.session.hasValue("note")).toBe(false);
});

test("all that an epoch may hold has room from the start", () => {
  const items = new Map<string, string>();
  let limit = Number.POSITIVE_INFINITY;
  const epochs = new Epochs(
    storageOf(items, () => limit),
    "shop",
    id,
  );
  limit = key.length + (items.get(key)?.length ?? 0);
  const names = (count: number) => Array.from({ length: count }, () => id(32));
  const notes = names(80).map((name) => `${name.slice(0, 12)}/1700000000000`);
  const told = notes.slice(0, 40);
  const lists = { from: names(9), past: names(40), quiet: names(40), ends: names(40) };
  epochs.set({ ...lists, heard: notes, told, identifier: id(24) });
  expect(
    new Epochs(
      storageOf(items, () => limit),
      "shop",
      id,
    ).get(),
  ).toEqual(epochs.get());
});

test("where localStorage takes nothing any more, the tab goes on by itself, and the console has it", () => {
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  const items = new Map<string, string>();
  let denied = false;
  const storage = storageOf(items, () => (denied ? 0 : Number.POSITIVE_INFINITY));
  const epochs = new Epochs(storage, "shop", id);
  epochs.set({});
  const { name } = epochs.get();
  denied = true;
  const next = epochs.fresh();
  epochs.set({ name: next, past: [name] });
  expect(epochs.get()).toMatchObject({ name: next, past: [name] });
  expect(epochs.agree()).toBe(false);
  expect(warn.mock.calls.join()).toContain("localStorage");
  warn.mockRestore();
});

test("a record that lacks something, or is somebody else's, stops nothing", () => {
  const items = new Map([[key, JSON.stringify({ name: "n", profile: "p", identifier: null, past: ["x"] })]]);
  const storage = storageOf(items, () => Number.POSITIVE_INFINITY);
  const epochs = new Epochs(storage, "shop", id);
  epochs.set({ ended: "SESSION_GONE" });
  expect(epochs.get()).toMatchObject({ name: "n", past: ["x"], heard: [], told: [] });
  for (const theirs of ["null", "7", "theirs", '{"name":"theirs"}']) {
    items.set(key, theirs);
    const other = new Epochs(storage, "shop", id);
    other.agree();
    expect(JSON.parse(items.get(key) ?? "")).toEqual(other.get());
    expect(other.get().name).not.toBe("theirs");
  }
});

test("a page that opens writes nothing over what the others may be writing", () => {
  const items = new Map<string, string>();
  const storage = storageOf(items, () => Number.POSITIVE_INFINITY);
  new Epochs(storage, "shop", id).set({});
  const before = items.get(key);
  const read = { ...storage, setItem: vi.fn() };
  const next = new Epochs(read, "shop", id);
  expect([next.shared, read.setItem.mock.calls, items.get(key)]).toEqual([true, [], before]);
});

test("a text that was written without sight of an end does not undo it, and of two ends the last text counts", () => {
  const items = new Map<string, string>();
  const storage = storageOf(items, () => Number.POSITIVE_INFINITY);
  const [a, b] = [new Epochs(storage, "shop", id), new Epochs(storage, "shop", id)];
  a.set({ name: "e1", identifier: "s1" });
  b.set({});
  const early = items.get(key) ?? "";
  a.set({ name: "e2", identifier: null, past: ["e1", "s1"], quiet: ["e1", "s1"], ends: ["s1"] });
  items.set(key, early);
  expect(a.get()).toMatchObject({ name: "e2", past: ["e1", "s1"], ends: ["s1"] });
  expect(b.get()).toEqual(a.get());
  a.set({ name: "ea", past: ["e2", "eb"] });
  const ours = items.get(key) ?? "";
  b.set({ name: "eb", past: ["e2", "ea"] });
  const theirs = items.get(key) ?? "";
  items.set(key, ours);
  expect(b.get()).toMatchObject({ name: "ea" });
  items.set(key, theirs);
  expect(a.get()).toMatchObject({ name: "eb" });
  expect([a.get().past, b.get().past]).toEqual([
    expect.not.arrayContaining(["eb"]),
    expect.not.arrayContaining(["eb"]),
  ]);
});
