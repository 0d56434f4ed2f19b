import { expect, test } from "../src/test.ts";

test("a session outlives a restart of the server, which closes cleanly", async ({ server, shop }) => {
  await shop.add("Buckwheat pillow");
  await shop.synced();
  expect(await server.end("SIGTERM")).toBe(0);
  await server.start();

  await shop.reload();
  await expect(shop.count("Buckwheat pillow")).toHaveText("1");
  await expect(shop.visits).toHaveText("2");
});

test("what the server has acknowledged outlives its being killed", async ({ context, server, shop }) => {
  await shop.add("Silk sleep mask");
  await shop.synced();
  await server.restart("SIGKILL");

  expect(await server.held(context)).toMatchObject({ cart: [{ sku: "mask", count: 1 }] });
  await shop.reload();
  await expect(shop.count("Silk sleep mask")).toHaveText("1");
});

test("a tab goes on working while the server is dead, and sends everything once it is back", async ({
  context,
  server,
  shop,
}) => {
  await shop.synced();
  await server.end("SIGKILL");

  await shop.add("Hot-water bottle");
  await shop.purr();
  await expect(shop.status).toContainText("Offline");
  await expect(shop.status).toContainText("2");
  await shop.purr();
  await expect(shop.purrs).toHaveText("2");

  await server.start();
  await shop.synced();
  await expect.poll(() => server.held(context)).toMatchObject({ cart: [{ sku: "bottle", count: 1 }], purrs: 2 });
});
