import type { BrowserContext } from "@playwright/test";
import { expect, test } from "../src/test.ts";

/** All warnings and errors on the console of a context's pages. */
function complaintsOf(context: BrowserContext): readonly string[] {
  const complaints: string[] = [];
  context.on("console", (message) => {
    if (["warning", "error"].includes(message.type())) complaints.push(message.text());
  });
  context.on("weberror", (error) => complaints.push(String(error.error())));
  return complaints;
}

test("no visit, login or logout leaves a warning or an error in the console", async ({ context, openTab }) => {
  const complaints = complaintsOf(context);
  const shop = await openTab(context);
  await shop.add("Linen blanket");
  await shop.switchTheme();
  await shop.write("</script><script>alert(1)</script>");
  await shop.synced();
  await shop.logIn("Ada");
  await shop.reload();
  await shop.synced();
  await shop.logOut();
  await shop.reload();
  expect(complaints).toEqual([]);
});

test("a page that was rendered before the logout arrived hydrates as any other, and then shows nothing of the visitor", async ({
  context,
  shop,
}) => {
  const complaints = complaintsOf(context);
  await shop.add("Linen blanket");
  await shop.logIn("Ada");
  await context.route("**/*session.invalidate*", () => undefined);
  await shop.logOut();
  const rendered = await context.request.get("/");
  expect(await rendered.text()).toContain("Good evening, Ada");
  await shop.reload();
  await expect(shop.page.getByRole("heading", { name: "Log in" })).toBeVisible();
  expect(await shop.values()).toMatchObject({ cart: {} });
  expect(complaints).toEqual([]);
});

test("the first paint has the session's theme, and never another", async ({ page, shop }) => {
  await shop.switchTheme();
  await shop.synced();
  await page.addInitScript(() => {
    const seen: (string | null)[] = [];
    Object.assign(window, { themes: seen });
    const look = () => {
      const theme = document.documentElement?.getAttribute("data-theme");
      if (theme !== undefined && theme !== seen.at(-1)) seen.push(theme);
    };
    new MutationObserver(look).observe(document, { subtree: true, childList: true, attributeFilter: ["data-theme"] });
  });
  await shop.reload();
  await shop.synced();
  expect(await page.evaluate(() => (window as unknown as { themes: string[] }).themes)).toEqual(["dark"]);
});

test("the server renders the page with the session's values, before any script runs", async ({
  browser,
  context,
  server,
  shop,
}) => {
  await shop.add("Linen blanket");
  await shop.write("</script><b>& co.");
  await shop.switchTheme();
  await shop.logIn("Ada");
  await shop.synced();

  const still = await browser.newContext({ javaScriptEnabled: false });
  await still.addCookies(await context.cookies());
  const page = await still.newPage();
  await page.goto(server.url);
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await expect(page.getByLabel("Linen blanket: how many")).toHaveText("1");
  await expect(page.getByLabel("A note for the parcel")).toHaveValue("</script><b>& co.");
  await expect(page.getByRole("heading", { name: "Good evening, Ada" })).toBeVisible();
  await still.close();
});
