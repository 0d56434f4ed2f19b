import { type Browser, test as base, expect } from "@playwright/test";
import { ScratchServer } from "../src/scratch/server.ts";
import { type Departure, PlaywrightVisitor, type Visitor, WebKitVisitor } from "../src/visitor.ts";

const test = base.extend<{ server: ScratchServer; visitor: Visitor }, { engine: Browser | null }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads a fixture's needs off this pattern
  server: async ({}, use) => {
    const server = await ScratchServer.start();
    await use(server);
    await server.close();
  },
  /** Playwright's browser, unless WebDriver drives another. Not its own `browser`, which would be started for either. */
  engine: [
    async ({ playwright, browserName, channel, launchOptions }, use, { project }) => {
      if (project.metadata.webkit) return use(null);
      const browser = await playwright[browserName].launch({ ...launchOptions, ...(channel ? { channel } : {}) });
      await use(browser);
      await browser.close();
    },
    { scope: "worker" },
  ],
  visitor: async ({ engine }, use, { project }) => {
    if (!engine) {
      const visitor = await WebKitVisitor.start(project.metadata.webkit as string);
      await use(visitor);
      return visitor.close();
    }
    const context = await engine.newContext();
    await use(new PlaywrightVisitor(context));
    await context.close();
  },
});

/** Opens the page until it is awake and has a session. */
async function settle(visitor: Visitor, server: ScratchServer): Promise<void> {
  await visitor.open(server.url);
  await expect.poll(() => visitor.run("return globalThis.session?.status().state")).toBe("synced");
}

/**
 * The last push arrives although its page is gone. Firefox on a busy machine drops one in some ten: there, what counts is
 * that the next page sends it.
 */
async function arrives(server: ScratchServer, expected: Record<string, unknown>): Promise<void> {
  const holds = expect.poll(() => server.held(), { timeout: test.info().project.name === "firefox" ? 2_000 : 10_000 });
  const arrived = holds.toMatchObject(expected);
  if (test.info().project.name !== "firefox") return arrived;
  await arrived.catch(() => test.info().annotations.push({ type: "the last push was dropped" }));
}

/** The next page of this browser has all, shows each change once, and so does the server. */
async function comesBack(visitor: Visitor, server: ScratchServer, expected: Record<string, unknown>): Promise<void> {
  await settle(visitor, server);
  await expect.poll(() => server.held()).toEqual(expected);
  expect(await visitor.run("return Object.fromEntries(session)")).toEqual(expected);
}

for (const how of ["navigation", "reload", "close"] satisfies Departure[]) {
  test(`${how}: what was written just before arrives without the page`, async ({ server, visitor }) => {
    await settle(visitor, server);
    await visitor.run('session.setValue("note", "first"); void session.sleep();');
    await expect.poll(() => server.held()).toEqual({ note: "first" });

    await visitor.leave(how, 'session.setValue("note", "last"); session.update("clicks", (n) => n + 1);');
    await arrives(server, { note: "last", clicks: 1 });
    await comesBack(visitor, server, { note: "last", clicks: 1 });
  });

  test(`${how}: what a push under way and the last one both carry counts once`, async ({ server, visitor }) => {
    await settle(visitor, server);
    await visitor.run('session.setValue("note", "first"); void session.sleep();');
    await expect.poll(() => server.held()).toEqual({ note: "first" });

    const before = server.pushes.length;
    let release = () => {};
    server.gate = new Promise((resolve) => {
      release = resolve;
    });
    await visitor.run('session.update("clicks", (n) => n + 1); void session.sleep();');
    await expect.poll(() => server.pushes.length).toBe(before + 1);
    await visitor.leave(how, 'session.update("clicks", (n) => n + 1);');
    if (test.info().project.name !== "firefox") {
      await expect.poll(() => server.pushes.length).toBeGreaterThan(before + 1);
    }
    release();
    await arrives(server, { note: "first", clicks: 2 });
    await comesBack(visitor, server, { note: "first", clicks: 2 });
  });

  test(`${how}: of 200,000 characters the oldest go at once and the rest with the next page`, async ({
    server,
    visitor,
  }) => {
    await settle(visitor, server);
    await visitor.run('session.setValue("note", "first"); void session.sleep();');
    await expect.poll(() => server.held()).toEqual({ note: "first" });

    const keys = ["a", "b", "c", "d"];
    const writes = keys.map((key) => `session.setValue("${key}", "${key}".repeat(50_000));`);
    await visitor.leave(how, `session.update("clicks", (n) => n + 1); ${writes.join(" ")}`);
    await arrives(server, { clicks: 1 });
    const large = Object.fromEntries(keys.map((key) => [key, key.repeat(50_000)]));
    await comesBack(visitor, server, { note: "first", clicks: 1, ...large });
  });

  for (const event of ["pagehide", "visibilitychange"]) {
    test(`${how}: what the app's own ${event} handler writes arrives, and is safe without the server`, async ({
      server,
      visitor,
    }) => {
      const onTheWayOut = (note: string) =>
        `for (const target of [window, document]) {
           target.addEventListener("${event}", () => session.setValue("note", "${note}"), { once: true });
         }`;
      await settle(visitor, server);
      await visitor.run('session.setValue("note", "first"); void session.sleep();');
      await expect.poll(() => server.held()).toEqual({ note: "first" });

      await visitor.leave(how, onTheWayOut("online"));
      await arrives(server, { note: "online" });
      await comesBack(visitor, server, { note: "online" });

      server.refuses = true;
      await visitor.leave(how, onTheWayOut("offline"));
      await visitor.open(`${server.url}/away`);
      expect(await server.held()).toEqual({ note: "online" });
      server.refuses = false;
      await comesBack(visitor, server, { note: "offline" });
    });
  }
}
