import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSessions } from "@catnap/server";
import { memoryStore } from "@catnap/server/memory";
import { type AnyDefinition, counter, defineSession } from "@catnap/shared";
import { expect, test } from "vitest";
import { z } from "zod";
import { checkDefinition } from "./check-definition.ts";

const lockIn = () => join(mkdtempSync(join(tmpdir(), "catnap-")), "session.lock.json");

const before = defineSession({
  shared: { cart: z.array(z.string()), role: z.string(), theme: z.string(), basket: z.string(), visits: counter() },
  readonly: { user: z.string() },
});

test("a file holds the last version; what differs from it is told in sentences, until the file is brought up to date", async () => {
  const lock = lockIn();
  const written = [`${lock} did not exist, and holds this version now: commit it`];
  expect(await checkDefinition(before, { lock })).toEqual({ changes: written, losses: [], sessions: 0 });
  const text = readFileSync(lock, "utf8");
  expect(await checkDefinition(before, { lock })).toMatchObject({ changes: [] });
  const after = defineSession({
    shared: { cart: z.array(z.string()), theme: z.string(), visits: z.number(), user: z.string(), extra: z.string() },
    secret: { role: z.string() },
    limits: { valueBytes: 1000 },
  });
  const { changes } = await checkDefinition(after, { lock });
  expect(changes).toEqual([
    '"basket" is gone: what rests of it stays, and counts for nothing. Name it in renamed if it has another name now, and in dropped, once no older version runs, if it has none',
    '"extra" is new: changes of it that an older process gets wait for a newer one',
    '"role" moves from shared to secret: what browsers wrote is deleted; name it in trust to take it over',
    '"user" moves from readonly to shared: browsers see it from now on',
    '"visits" has no merge any more: the later change stands',
    "limits.valueBytes was 131072 and is 1000: what is longer stays, and may not grow",
  ]);
  expect(readFileSync(lock, "utf8")).toBe(text);
  expect((await checkDefinition(after, { lock, update: true })).changes).toHaveLength(6);
  expect((await checkDefinition(after, { lock })).changes).toEqual([]);
  const back = await checkDefinition(before, { lock });
  expect(back.changes).toContain("limits.valueBytes was 1000 and is 131072: an older process refuses what is longer");
});

test("what is no file of a definition's, and what looks at nothing, is refused with the remedy", async () => {
  const lock = lockIn();
  for (const text of ["{}", "null", "<<<<<<< HEAD"]) {
    writeFileSync(lock, text);
    const refused = { code: "INVALID_OPTION", message: expect.stringContaining(`${lock} holds no definition`) };
    await expect(checkDefinition(before, { lock })).rejects.toMatchObject(refused);
  }
  await expect(checkDefinition({} as never, { lock })).rejects.toThrow(/takes what defineSession or extendSession/);
  for (const [options, rule] of [
    [undefined, /takes a lock, a store, or both/],
    [{}, /takes a lock, a store, or both/],
    [{ store: "copy.db" }, /store is no SessionStore/],
    [{ store: memoryStore(), sessions: -1 }, /sessions is no whole number above 0/],
  ] as const)
    await expect(checkDefinition(before, options as never)).rejects.toThrow(rule);
});

test("sessions of other apps in the store are none of this one's", async () => {
  const store = { ...memoryStore(), close: async () => undefined };
  for (const name of ["shop", "forum"]) {
    const definition = defineSession({ name, shared: { [name]: z.string() } });
    const sessions = createSessions({ definition, store, sweepInterval: 0 });
    await sessions.run(new Request("https://shop.example/"), (session) => {
      session.setValue(name, "x");
      return new Response("ok");
    });
    await sessions.close();
  }
  const shop = defineSession({ name: "shop", shared: { shop: z.string() } });
  expect(await checkDefinition(shop, { store })).toEqual({ changes: [], losses: [], sessions: 1 });
});

test("of the sessions in a store it says which would lose what, and quotes no value", async () => {
  const store = { ...memoryStore(), close: async () => undefined };
  const sessions = createSessions({ definition: before, store, sweepInterval: 0 });
  for (const theme of ["dark", "canary"]) {
    await sessions.run(new Request("https://shop.example/"), (session) => {
      session.setValue("theme", theme);
      session.setValue("basket", "canary");
      session.setValue("cart", ["tea"]);
      return new Response("ok");
    });
  }
  await sessions.close();
  const shared = { cart: z.array(z.string()), theme: z.enum(["dark", "light"]) };
  const check = async (definition: AnyDefinition, most?: number) => {
    const found = await checkDefinition(definition, { store, ...(most !== undefined && { sessions: most }) });
    expect(JSON.stringify(found)).not.toContain("canary");
    return { ...found, losses: found.losses.map(({ key, what }) => `${key} ${what}`).sort() };
  };
  expect(await check(before)).toEqual({ changes: [], losses: [], sessions: 2 });
  expect(await check(defineSession({ shared }))).toMatchObject({
    sessions: 2,
    losses: ["basket unknown", "basket unknown", "theme misfit"],
  });
  const mended = defineSession({ shared, migrate: { theme: () => "light" as const }, dropped: ["basket"] });
  expect((await check(mended)).losses).toEqual(["basket dropped", "basket dropped"]);
  expect((await check(mended, 1)).sessions).toBe(1);
  const emptied = defineSession({ shared, migrate: { theme: () => undefined }, dropped: ["basket"] });
  expect((await check(emptied)).losses).toEqual(["basket dropped", "basket dropped", "theme dropped"]);
});
