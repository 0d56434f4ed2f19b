import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ShopPage } from "../src/shop-page.ts";
import { expect, test } from "../src/test.ts";

let attacker: Server;
test.beforeAll(async () => {
  attacker = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>Win a pillow</title>");
  }).listen(0, "127.0.0.1");
  await once(attacker, "listening");
});
test.afterAll(() => void attacker.close());

/** What a page can send to another origin without asking first. Runs in the attacker's page. */
async function attack(target: string): Promise<void> {
  const submit = (path: string, enctype: string, name: string, value: string) =>
    new Promise<void>((resolve) => {
      const frame = document.createElement("iframe");
      frame.name = `sink-${Math.random()}`;
      frame.onload = () => resolve();
      const form = document.createElement("form");
      Object.assign(form, { method: "post", action: `${target}/trpc/${path}`, enctype, target: frame.name });
      const input = document.createElement("input");
      Object.assign(input, { type: "hidden", name, value });
      form.append(input);
      document.body.append(frame, form);
      form.submit();
    });
  const forged = '{"json":{"key":"note","value":"forged"},"x":"';
  await submit("checkout", "multipart/form-data", "x", "1");
  await submit("checkout", "application/x-www-form-urlencoded", "x", "1");
  await submit("session.setValue", "text/plain", forged, '"}');
  await submit("checkout,checkout?batch=1", "multipart/form-data", "0", "1");
  const silently = (path: string, init: RequestInit) =>
    fetch(`${target}/trpc/${path}`, { credentials: "include", mode: "no-cors", ...init }).catch(() => undefined);
  await silently("checkout", { method: "POST", body: new FormData() });
  await silently("session.setValue", { method: "POST", body: `${forged}"}` });
  await silently("checkout", {});
  await silently("checkout", { method: "POST", headers: { "content-type": "application/json" }, mode: "cors" });
  navigator.sendBeacon(`${target}/trpc/checkout`, new FormData());
  navigator.sendBeacon(`${target}/trpc/checkout`, new Blob(["{}"], { type: "application/json" }));
}

// The attacker's page is on another port of the same host: the same site, so that the cookie goes with every request,
// SameSite or not. It is the guard alone that stands between.
test("a page of another origin of the same site changes nothing", async ({ context, wire }) => {
  const shop = await new ShopPage(await context.newPage()).open(wire.url);
  await shop.logIn("Ada");
  await shop.add("Linen blanket");
  await shop.write("mine");
  await shop.synced();
  await shop.page.close();

  const trap = await context.newPage();
  await trap.goto(`http://127.0.0.1:${(attacker.address() as AddressInfo).port}/`);
  const before = wire.responses.length;
  await trap.evaluate(attack, wire.url);
  // The multipart forms and the beacon reached the server, and were told so.
  const refused = () => wire.responses.slice(before).filter(({ body }) => body.includes("CROSS_SITE")).length;
  await expect.poll(refused).toBeGreaterThanOrEqual(3);
  for (const { body } of wire.responses.slice(before)) expect(body).not.toContain('"result"');
  await trap.close();

  const again = await new ShopPage(await context.newPage()).open(wire.url);
  await again.synced();
  await expect(again.count("Linen blanket")).toBeVisible();
  await expect(again.note).toHaveValue("mine");
  await expect(again.page.getByRole("heading", { name: "Good evening, Ada" })).toBeVisible();
});
