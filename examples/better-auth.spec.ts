import { type Browser, expect, test } from "@playwright/test";

/** A browser of its own, in which Ada has logged in. */
async function logIn(browser: Browser, baseURL: string | undefined) {
  const page = await (await browser.newContext({ ...(baseURL && { baseURL }) })).newPage();
  await page.goto("/");
  await page.getByLabel("Name").fill("Ada");
  await page.getByRole("button", { name: "Log in" }).click();
  await expect(page.getByTestId("user")).toHaveText("Ada");
  return page;
}

test("who signs the phone out from the desk ends the phone's session, and not the one at the desk", async ({
  browser,
  baseURL,
}) => {
  const phone = await logIn(browser, baseURL);
  const desk = await logIn(browser, baseURL);
  const answer = await desk.evaluate(async () => {
    const headers = { "content-type": "application/json" };
    return (await fetch("/api/auth/revoke-other-sessions", { method: "POST", headers, body: "{}" })).status;
  });
  expect(answer).toBe(200);
  await phone.reload();
  await expect(phone.getByTestId("user")).toHaveText("nobody");
  await desk.reload();
  await expect(desk.getByTestId("user")).toHaveText("Ada");
});
