import type { SessionSnapshot } from "@catnap/shared";
import { expect, test } from "vitest";
import type { Device, Tab } from "./device.ts";
import { World } from "./world.ts";

/** A first visit with three tabs, each of which writes and sends before it hears of the others. */
async function rush(
  world: World,
  device: Device = world.device(0),
  rendered?: SessionSnapshot,
): Promise<readonly Tab[]> {
  const tabs = [1, 2, 3].map(() => world.tab(device));
  for (const { session } of tabs) if (rendered) session.hydrate(rendered);
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

async function inWorld(run: (world: World) => Promise<void>): Promise<void> {
  const world = new World();
  const restore = world.time.install();
  try {
    await run(world);
  } finally {
    restore();
  }
}

/** All of the tabs' visits are in one session, which all show, and nobody was told of an end. */
async function checkAll(world: World, tabs: readonly Tab[]): Promise<void> {
  const sessions = await world.identifiers();
  expect(sessions).toHaveLength(1);
  expect(await world.stored(sessions[0] ?? "")).toMatchObject({ visits: 3 });
  for (const { session, expired } of tabs) {
    expect([session.value("visits"), session.status().pending, expired]).toEqual([3, 0, []]);
  }
}

test("tabs that begin a first visit in one moment begin one session, and each change counts", () =>
  inWorld(async (world) => {
    const tabs = await rush(world);
    await deliver(world);
    await checkAll(world, tabs);
  }));

test("pages of a first visit that were rendered for one session, and open in one moment, are of that one", () =>
  inWorld(async (world) => {
    const device = world.device(0);
    await world.serve(device, "login");
    const request = new Request("https://shop.test/", { headers: { cookie: device.cookie } });
    const tabs = await rush(world, device, await world.sessions.wake(request).snapshot());
    await deliver(world);
    await checkAll(world, tabs);
  }));

test("what a tab had not sent when the session ended is given to the app once, though all tabs find out in one moment", () =>
  inWorld(async (world) => {
    const tabs = await rush(world);
    await deliver(world);
    const [first] = tabs;
    first?.session.setValue("note", "unsent");
    await world.settle();
    await world.sessions.revoke(first?.session.identifier() ?? "");
    for (const { session } of tabs) void Promise.resolve(session.awake()).catch(() => undefined);
    await world.settle();
    const asked = [...world.messages];
    for (const message of asked) await world.deliver(message);
    for (const message of asked) world.answer(message);
    await world.settle();
    await deliver(world);
    const unsent = tabs.flatMap(({ expired }) => expired.flatMap((event) => event.unsent));
    expect([asked.length, unsent]).toEqual([3, [{ key: "note", value: "unsent" }]]);
  }));
