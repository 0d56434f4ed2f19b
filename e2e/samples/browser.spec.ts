// The samples of docs/browser.md that want a page and a server, as they are printed.
import { defineSession } from "catnap";
import type { ClientSession } from "catnap/client";
import { expect, sessionTest } from "catnap/playwright";
import { createSessions } from "catnap/server";
import { sqliteStore } from "catnap/sqlite";
import * as z from "zod";

/** Of the README's definition, what the pages here touch. */
const shop = defineSession({ shared: { theme: z.enum(["light", "dark"]).default("light") } });
declare const session: ClientSession<typeof shop>;

const store = sqliteStore("sessions.db");
const sessions = createSessions({ definition: shop, store });
const test = sessionTest({ sessions });

test("a draft can be typed freely, outlives a reload, shows in other tabs, and is checked when it is sent", async ({
  context,
  page,
}) => {
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto("/form");
  const draft = page.getByRole("textbox");
  await draft.pressSequentially(" ann@ ");
  await expect(draft).toHaveValue(" ann@ ");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByText("This is no address")).toBeVisible();

  await page.reload();
  await expect(draft).toHaveValue(" ann@ ");
  const other = await context.newPage();
  await other.goto("/form");
  const there = other.getByRole("textbox");
  await expect(there).toHaveValue(" ann@ ");
  await there.press("End");
  await there.press("Backspace");
  await there.pressSequentially("shop.test ");
  await expect(draft).toHaveValue(" ann@shop.test ");
  await other.getByRole("button", { name: "Send" }).click();
  for (const input of [there, draft]) await expect(input).toHaveValue("");
  await expect(other.getByText("This is no address")).toBeHidden();
  // What the server holds, without the spaces.
  const held = async () => (await (await page.request.get("/form/trpc/session.values")).json()).result.data;
  await expect.poll(held).toEqual({ email: "ann@shop.test" });

  await draft.pressSequentially("a".repeat(201));
  await expect(draft).toHaveValue("a".repeat(200));
  expect(errors).toEqual([]);
});

test("what waits for the disk shows no default before the value", async ({ page }) => {
  await page.addInitScript(() => {
    const shown: string[] = [];
    Object.assign(globalThis, { shown });
    new MutationObserver(() => shown.push(document.querySelector("button")?.textContent ?? "")).observe(document, {
      subtree: true,
      childList: true,
      characterData: true,
    });
  });
  await page.goto("/when-read");
  await page.getByRole("button").click();
  await expect(page.getByRole("button")).toHaveText("dark (synced)");
  await page.reload();
  await expect(page.getByRole("button")).toHaveText("dark (synced)");
  const shown = await page.evaluate(() => (globalThis as unknown as { shown: string[] }).shown);
  expect(shown.filter((text) => text.startsWith("light"))).toEqual([]);
});

test("a theme that was chosen offline, until the session had expired, is chosen in the next session", async ({
  page,
  session: held,
}) => {
  await page.goto("/offline");
  await page.evaluate(() => {
    session.setValue("theme", "light");
    return session.sleep();
  });
  const before = await page.evaluate(() => session.identifier());
  await held.run((one) => one.setTimeout(1));
  await held.offline(true);
  await page.evaluate(() => session.setValue("theme", "dark"));
  await expect.poll(() => page.evaluate(() => session.status().state)).toBe("offline");
  const over = async () => (await store.find({ expiredAt: Date.now() - 100, limit: 1_000 })).items;
  await expect.poll(over).toContainEqual(expect.objectContaining({ identifier: before }));
  await held.offline(false);
  await expect(held).toHaveValue("theme", "dark");
  expect(await page.evaluate(() => session.identifier())).not.toBe(before);
  expect(await page.evaluate(() => session.value("theme"))).toBe("dark");
});
