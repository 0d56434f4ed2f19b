import { defineSession } from "@catnap/shared";
import { expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../../../server/src/stores/memory/memory-store.ts";
import { createWorld, open, type Shop, shop, until } from "../../test/world.ts";

/** The shop of a later version, in which the server alone writes notes. */
const { keys: moved } = defineSession({ readonly: { note: z.string() } });
const later = { ...shop, keys: new Map([...shop.keys, ...moved]), fingerprint: "later" } as Shop;

test("what a browser wrote of a key that is readonly now shows in no page of the new version: not from the disk, a sibling, or the server", async () => {
  const store = { ...memoryStore(), close: async () => undefined };
  const { browser } = open(createWorld({ store }));
  const old = browser.tab();
  old.session.setValue("note", "mine");
  old.session.setValue("theme", "dark");
  await old.session.awake();
  await old.session.sleep();
  await until(() => old.session.status().storage === "disk");
  const world = open(createWorld({ store, definition: later }));
  world.browser.jar.cookie = browser.jar.cookie;
  const { session } = browser.tab({ definition: later, through: () => world.browser.tab().fetch as never });
  const seen: unknown[] = [];
  session.subscribe("note", () => seen.push(session.value("note", null)));
  await session.awake();
  expect(session.values()).toEqual({ theme: "dark" });
  old.session.setValue("note", "again");
  old.session.setValue("theme", "light");
  await until(() => session.value("theme") === "light");
  expect([session.values(), seen]).toEqual([{ theme: "light" }, []]);
});
