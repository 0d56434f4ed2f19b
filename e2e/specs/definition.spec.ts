import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { AnyDefinition } from "catnap";
import { checkDefinition } from "catnap/testing";
import { expect, test } from "../src/test.ts";

const lock = fileURLToPath(new URL("../../apps/demo/session.lock.json", import.meta.url));

// Who changes the demo's definition reads what comes of that for its sessions, and then brings the file up to date, by
// CATNAP_UPDATE=1. Once is enough.
test("the demo's definition is the one of its lock file @chromium", async () => {
  expect(existsSync(lock)).toBe(true);
  // Not with its types, which are of another program.
  const { href } = new URL("../../apps/demo/src/session.server.ts", import.meta.url);
  const { shop } = (await import(href)) as { shop: AnyDefinition };
  const { changes } = await checkDefinition(shop, { lock, update: process.env.CATNAP_UPDATE === "1" });
  expect(changes).toEqual([]);
});
