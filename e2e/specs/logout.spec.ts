import { expect, test } from "../src/test.ts";

const values = ["Ada", "Under the mat", "blanket"];

test("logging out wipes every value from every tab, and from the disk", async ({ context, openTab, server, shop }) => {
  const other = await openTab(context);
  await shop.add("Linen blanket");
  await shop.write("Under the mat");
  await shop.logIn("Ada");
  await expect(other.page.getByRole("heading", { name: "Good evening, Ada" })).toBeVisible();
  const identifier = await shop.identifier();
  const cookie = await server.cookie(context);
  for (const trace of [...values, identifier]) expect((await shop.kept()).databases).toContain(trace);

  await shop.logOut();

  for (const tab of [shop, other]) {
    await expect(tab.page.getByRole("heading", { name: "Log in" })).toBeVisible();
    await expect(tab.note).toHaveValue("");
    await expect(tab.total).toHaveText("€0.00");
    for (const trace of [...values, identifier]) {
      await expect.poll(async () => (await tab.kept()).databases).not.toContain(trace);
    }
    for (const trace of values) expect((await tab.kept()).local).not.toContain(trace);
  }
  // The session is dead on the server too, whoever kept its cookie.
  await expect.poll(() => server.held(cookie)).toEqual({});
  expect(await context.cookies(server.url)).toEqual([]);
});

test("who logs in after somebody else sees nothing of them", async ({ context, page, server, shop }) => {
  await shop.add("Silk sleep mask");
  await shop.write("Under the mat");
  await shop.switchTheme();
  await shop.logIn("Ada");
  const first = await shop.identifier();
  await shop.logOut();
  await shop.logIn("Grace");

  await shop.synced();
  await expect(shop.note).toHaveValue("");
  await expect(shop.total).toHaveText("€0.00");
  await shop.showsTheme("light");
  await expect.poll(() => server.held(context)).toEqual({ user: { id: "grace", name: "Grace" } });
  expect(await shop.identifier()).not.toBe(first);
  await shop.reload();
  await shop.synced();
  await expect(page.getByText("Ada")).toHaveCount(0);
  await expect(shop.note).toHaveValue("");
  expect((await shop.kept()).databases).not.toMatch(/Ada|Under the mat|mask/);
});

test("logging out while the server is away still wipes, and ends the session as soon as it is back", async ({
  context,
  server,
  shop,
}) => {
  const uncaught: unknown[] = [];
  context.on("weberror", (event) => uncaught.push(event.error()));
  await shop.write("Under the mat");
  await shop.logIn("Ada");
  await shop.synced();
  const cookie = await server.cookie(context);
  await server.end("SIGKILL");

  await shop.logOut();
  await expect(shop.note).toHaveValue("");
  await expect.poll(async () => (await shop.kept()).databases).not.toContain("Under the mat");

  await server.start();
  await expect.poll(() => server.held(cookie)).toEqual({});
  await shop.reload();
  await expect(shop.page.getByRole("heading", { name: "Log in" })).toBeVisible();
  expect(uncaught).toEqual([]);
});

test("a login keeps what was in the cart and changes the cookie", async ({ context, server, shop }) => {
  await shop.add("Valerian tea");
  await shop.synced();
  const [before] = await context.cookies(server.url);
  await shop.logIn("Ada");
  const [after] = await context.cookies(server.url);
  await expect(shop.count("Valerian tea")).toHaveText("1");
  expect(before?.httpOnly).toBe(true);
  expect(after?.value).not.toBe(before?.value);
});
