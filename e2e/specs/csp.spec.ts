import { expect, test } from "../src/test.ts";

test("the shop works under a strict policy with Trusted Types, and nothing offends it", async ({
  context,
  openTab,
}) => {
  const complaints: string[] = [];
  context.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  context.on("weberror", (error) => complaints.push(String(error.error())));
  const shop = await openTab(context);
  const [policy, injected] = await shop.page.evaluate(async () => {
    const response = await fetch(location.href);
    try {
      document.body.insertAdjacentHTML("beforeend", "<p>injected</p>");
    } catch (error) {
      return [response.headers.get("content-security-policy"), (error as Error).name];
    }
    return [response.headers.get("content-security-policy"), "no error"];
  });
  expect(policy).toContain("require-trusted-types-for 'script'");
  expect(policy).not.toContain("unsafe");
  // What a browser without Trusted Types does is its own affair.
  if (await shop.page.evaluate(() => "trustedTypes" in window)) {
    expect(injected).toBe("TypeError");
    complaints.length = 0; // the browser has told of that one
  }
  await shop.add("Linen blanket");
  await shop.switchTheme();
  await shop.write("</script><script>alert(1)</script>");
  await shop.logIn("Ada");
  await shop.synced();
  await shop.reload();
  await shop.synced();
  await shop.logOut();
  expect(complaints).toEqual([]);
});
