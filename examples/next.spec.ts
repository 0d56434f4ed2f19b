import { expect, test } from "@playwright/test";

test("a server component of Next's reads the session, and sends away whoever has not logged in", async ({ page }) => {
  await page.goto("/account");
  await expect(page).toHaveURL("/");
  await expect(async () => {
    await page.getByLabel("Name").fill("Ada");
    await page.getByRole("button", { name: "Log in" }).click();
    await expect(page.getByTestId("user")).toHaveText("Ada", { timeout: 2_000 });
  }).toPass(); // a click before the page is hydrated may do nothing
  await page.goto("/account");
  await expect(page.getByRole("heading")).toHaveText("The account of Ada");
});
