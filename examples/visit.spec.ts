import { type BrowserContext, expect, type Page, test } from "@playwright/test";

// What every example can do, whatever it is built with.

const shown = (page: Page, what: "theme" | "user" | "cart") => page.getByTestId(what);
const press = (page: Page, name: string) => page.getByRole("button", { name }).click();

const cookies = async (context: BrowserContext) =>
  (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
const sessionCookie = async (context: BrowserContext) =>
  (await context.cookies()).find(({ name }) => name.includes("catnap"))?.value;

test("a visitor's session is the same in the browser, in the server's HTML and in its API, from the first write to the logout", async ({
  page,
  context,
  baseURL,
}) => {
  /** What was not as it should be, on any page of the visit. */
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("response", (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`);
  });
  page.on("requestfailed", (request) => complaints.push(`${request.failure()?.errorText} ${request.url()}`));

  /** What the server says to whoever has this cookie, by plain HTTP. */
  const get = async (path: string, cookie: string) => (await fetch(baseURL + path, { headers: { cookie } })).text();
  const whoAmI = async (cookie: string) => JSON.parse(await get("/whoami", cookie));

  await test.step("what the browser writes shows", async () => {
    await page.goto("/");
    await expect(shown(page, "theme")).toHaveText("light");
    await expect(shown(page, "user")).toHaveText("nobody");
    await expect(shown(page, "cart")).toHaveText("empty");
    await press(page, "Toggle theme");
    await press(page, "Add tea");
    await expect(shown(page, "theme")).toHaveText("dark");
    await expect(shown(page, "cart")).toHaveText("tea");
  });

  await test.step("it is still there after a reload, and the server has it", async () => {
    await expect.poll(async () => whoAmI(await cookies(context))).toEqual({ theme: "dark", user: null, cart: ["tea"] });
    await page.reload();
    await expect(shown(page, "theme")).toHaveText("dark");
    await expect(shown(page, "cart")).toHaveText("tea");
  });

  await test.step("the HTML of the server has it, before any script runs", async () => {
    const html = await get("/", await cookies(context));
    expect(html).toMatch(/data-testid="theme"[^>]*>dark</);
    expect(html).toMatch(/data-testid="cart"[^>]*>tea</);
    // And nobody else's page has: a server that renders for all of them keeps nothing of one.
    expect(await get("/", "")).toMatch(/data-testid="theme"[^>]*>light</);
  });

  const token = await sessionCookie(context);
  await test.step("a login gives the session a new token, and leaves its values", async () => {
    await page.getByLabel("Name").fill("Ada");
    await press(page, "Log in");
    await expect(shown(page, "user")).toHaveText("Ada");
    await expect(shown(page, "theme")).toHaveText("dark");
    await expect(shown(page, "cart")).toHaveText("tea");
    expect(token).toBeDefined();
    expect(await sessionCookie(context)).not.toBe(token);
  });

  const before = await cookies(context);
  await test.step("a route outside tRPC reads it", async () => {
    expect(await whoAmI(before)).toEqual({ theme: "dark", user: "Ada", cart: ["tea"] });
  });

  await test.step("a logout ends it, whoever has kept the cookie", async () => {
    await press(page, "Log out");
    await expect(shown(page, "user")).toHaveText("nobody");
    const nothing = { theme: "light", user: null, cart: [] };
    await expect.poll(() => whoAmI(before)).toEqual(nothing);
    expect(await whoAmI(await cookies(context))).toEqual(nothing);
  });

  expect(complaints).toEqual([]);
});
