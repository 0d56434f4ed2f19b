import { ShopPage } from "../src/shop-page.ts";
import { expect, test } from "../src/test.ts";

test("a secret value and the token never reach the page, its disk, or the body of any response", async ({
  context,
  server,
  wire,
}) => {
  const open = async () => new ShopPage(await context.newPage()).open(wire.url);
  const shop = await open();
  await shop.logIn("Ada");
  await shop.add("Moon lamp");
  await shop.synced();
  const identifier = await shop.identifier();
  await shop.reload();
  const other = await open();
  await other.synced();

  const secret = JSON.parse((await server.stored(identifier, "csrfSeed")) ?? "null") as string;
  expect(secret).toMatch(/^[0-9a-f-]{36}$/);
  const [cookie] = await context.cookies(wire.url);
  const token = cookie?.value.replace(identifier, "").replace(/^\W+/, "") ?? "";
  expect(token.length).toBeGreaterThan(40);

  for (const tab of [shop, other]) {
    const { databases, local } = await tab.kept();
    const seen = await tab.page.evaluate(() => document.documentElement.outerHTML + document.cookie + location.href);
    for (const text of [databases, local, seen]) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(token);
    }
    await tab.page.close();
  }

  expect(wire.responses.length).toBeGreaterThan(8);
  for (const { url, headers, body } of wire.responses) {
    expect(headers.join("\n")).not.toContain(secret);
    expect(body).not.toContain(secret);
    // The token travels as a cookie that no script can read, and in no other way.
    const carriers = headers.filter((text) => text.includes(token));
    for (const carrier of carriers) expect(carrier).toContain("HttpOnly");
    expect(url + body).not.toContain(token);
    // Not even the key's name, nor in the script.
    expect(body).not.toContain("csrfSeed");
  }
});

test("the page can neither read nor write a secret value, nor write a readonly one", async ({ page, shop }) => {
  await shop.logIn("Ada");
  const codes = await page.evaluate(async () => {
    const call = async (path: string, init?: RequestInit) => {
      const response = await fetch(`/trpc/${path}`, init);
      const { error } = (await response.json()) as { error?: { json: { data: { session: { code: string } | null } } } };
      return error?.json.data.session?.code;
    };
    const post = (json: object) => ({
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ json }),
    });
    return [
      await call(`session.value?input=${encodeURIComponent(JSON.stringify({ json: { key: "csrfSeed" } }))}`),
      await call("session.setValue", post({ key: "csrfSeed", value: "mine" })),
      await call("session.setValue", post({ key: "user", value: { id: "root", name: "Root" } })),
    ];
  });
  expect(codes).toEqual(["FORBIDDEN_KEY", "FORBIDDEN_KEY", "FORBIDDEN_KEY"]);
});
