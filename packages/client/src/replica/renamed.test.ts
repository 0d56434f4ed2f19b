import { defineSession, merge, value } from "@catnap/shared";
import { expect, test } from "vitest";
import { z } from "zod";
import { type Browser, createWorld, open, type Shop, shop, until } from "../../test/world.ts";

const { keys, renamed } = defineSession({
  shared: {
    memo: z.string().default(""),
    bag: value(z.array(z.object({ sku: z.string(), qty: z.number() })).default([]), { merge: merge.byId("sku") }),
  },
  renamed: { note: "memo", cart: "bag" },
});
/** The shop of a later version, in which notes are memos, and carts bags. */
const later = { ...shop, keys: new Map([...shop.keys, ...keys]), renamed } as Shop;

/** A tab of it, typed by the names of before. */
const tabOf = (browser: Browser) => {
  const tab = browser.tab({ definition: later });
  type Named = Pick<typeof tab.session, "awake" | "sleep" | "status"> & {
    value(name: string): unknown;
    peek(name: string): unknown;
    setValue(name: string, value: unknown): void;
    subscribe(name: string, listener: () => void): void;
    values(): object;
  };
  return { ...tab, session: tab.session as unknown as Named };
};

test("pages of both versions of one browser see one value under two names, and hear of it", async () => {
  const { world, browser } = open();
  const old = browser.tab();
  old.session.setValue("note", "tea");
  await old.session.awake();
  await old.session.sleep();
  const { session, conflicts, expired } = tabOf(browser);
  let heard = 0;
  session.subscribe("memo", () => heard++);
  await session.awake();
  expect([session.value("memo"), session.peek("memo"), session.values(), heard]).toEqual([
    "tea",
    "tea",
    { memo: "tea" },
    1,
  ]);
  session.setValue("memo", "ink");
  await until(() => old.session.value("note") === "ink");
  await session.sleep();
  // What the app is told bears its own names.
  const other = browser.tab({ name: "other device" });
  await other.session.awake();
  session.setValue("bag", [{ sku: "pen", qty: 1 }]);
  other.session.setValue("cart", [{ sku: "nib", qty: 1 }]);
  await other.session.sleep();
  await session.sleep();
  await until(() => conflicts.length > 0);
  expect(conflicts).toMatchObject([{ key: "bag", what: "merged" }]);
  world.fate = () => "lost";
  session.setValue("memo", "unsent");
  world.fate = () => "ok";
  await world.sessions.revoke(old.session.identifier());
  await session.sleep().catch(() => undefined);
  expect(expired).toMatchObject([{ unsent: [{ key: "memo", value: "unsent" }] }]);
});

test("a server of the later version takes both names of a page's changes for one key", async () => {
  const { browser } = open(createWorld({ definition: later }));
  const old = browser.tab();
  old.session.setValue("note", "tea");
  await old.session.awake();
  await old.session.sleep();
  const { session } = tabOf(browser);
  await session.awake();
  expect(session.value("memo")).toBe("tea");
});
