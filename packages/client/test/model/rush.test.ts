import { expect, test } from "vitest";
import type { Tab } from "./device.ts";
import { World } from "./world.ts";

/** A first visit with three tabs, each of which writes and sends before it hears of the others. */
async function rush(world: World): Promise<readonly Tab[]> {
  const device = world.device(0);
  const tabs = [1, 2, 3].map(() => world.tab(device));
  for (const { session } of tabs) {
    void Promise.resolve(session.awake()).catch(() => undefined);
    session.update("visits", (visits) => visits + 1);
    void session.sleep().catch(() => undefined);
  }
  await world.settle();
  return tabs;
}

/** Requests arrive, the last first, and are answered, until none is under way. */
async function deliver(world: World): Promise<void> {
  for (let i = 0; i < 20; i++) {
    for (const message of [...world.messages].reverse()) {
      await world.deliver(message);
      world.answer(message);
      await world.settle();
    }
    await world.pass(1_000);
  }
}

test("tabs that begin a first visit in one moment begin one session, and each change counts", async () => {
  const world = new World();
  const restore = world.time.install();
  try {
    const tabs = await rush(world);
    await deliver(world);
    const sessions = await world.identifiers();
    expect(sessions).toHaveLength(1);
    expect(await world.stored(sessions[0] ?? "")).toEqual({ visits: 3 });
    for (const { session, expired } of tabs) {
      expect([session.value("visits"), session.status().pending, expired]).toEqual([3, 0, []]);
    }
  } finally {
    restore();
  }
});
