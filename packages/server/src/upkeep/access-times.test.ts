import { expect, test } from "vitest";
import { faultStore } from "../../../testing/src/fault-store.ts";
import { memoryStore } from "../stores/memory/memory-store.ts";
import type { SessionRecord } from "../stores/store.ts";
import { AccessTimes } from "./access-times.ts";

const start = 1_700_000_000_000;
const key = "a".repeat(22);

async function oneSession() {
  const world = { down: false };
  const store = memoryStore();
  const failing = faultStore(store, ({ method }) =>
    world.down && method === "touch" ? { kind: "fail-before" } : undefined,
  );
  const times = { now: start, accessedAt: start, timeoutMs: 60_000 };
  const created = { ...times, create: { createdAt: start, endsAt: start + 1e9 }, transactions: 1 };
  await store.write(key, { ...created, expect: new Map(), changes: new Map() });
  const stored = async () => (await store.read(key)) as SessionRecord;
  return { world, stored, touches: new AccessTimes(failing, 60_000, () => undefined) };
}

test("an access that the store did not take is written later, together with those since", async () => {
  const { world, stored, touches } = await oneSession();
  world.down = true;
  expect(touches.add(await stored(), start + 2_000)).toBeUndefined();
  await expect(touches.flush()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  // Until then this process knows better than the store.
  expect(touches.ahead(await stored()).accessedAt).toBe(start + 2_000);
  expect(touches.add(await stored(), start + 5_000)).toBeUndefined();
  await expect(touches.flush()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  world.down = false;
  await touches.flush();
  expect(await stored()).toMatchObject({ accessedAt: start + 5_000, transactions: 3 });
  touches.stop();
});

test("what has been written is not written again", async () => {
  const { stored, touches } = await oneSession();
  expect(touches.add(await stored(), start + 2_000)).toBeUndefined();
  await touches.flush();
  await touches.flush();
  expect(await stored()).toMatchObject({ accessedAt: start + 2_000, transactions: 2 });
});
