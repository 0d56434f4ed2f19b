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
  /** Comes with its first page open: a browser that was never started on this machine may take its time, which is not the test's. */
  visitor: [
    async ({ engine, server }, use, { project }) => {
      if (!engine) {
        const visitor = await WebKitVisitor.start(project.metadata.webkit as string);
        await visitor.open(`${server.url}/away`);
        await use(visitor);
        return visitor.close();
      }
      const context = await engine.newContext();
      await use(new PlaywrightVisitor(context));
      await context.close();
    },
    { timeout: 120_000 },
  ],
});

/** Opens the page until it is awake and has a session. */
async function settle(visitor: Visitor, server: ScratchServer): Promise<void> {
  await visitor.open(server.url);
  await expect.poll(() => visitor.run("return globalThis.session?.status().state")).toBe("synced");
}

/** The next page of this browser has all, shows each change once, and so does the server. */
async function comesBack(visitor: Visitor, server: ScratchServer, expected: Record<string, unknown>): Promise<void> {
  await settle(visitor, server);
  await expect.poll(() => server.held()).toEqual(expected);
  expect(await visitor.run("return Object.fromEntries(session)")).toEqual(expected);
}

/** What one departure writes: what its last push brings, and what is there in the end. */
interface Written {
  readonly last: Record<string, unknown>;
  readonly all: Record<string, unknown>;
  /** What the script tells the server once it has written, where the browser may end it before. */
  readonly tells?: string;
}

/**
 * Firefox ends the script that runs a few milliseconds after the end of a closing page has begun: once in some sixty times that
 * is the last push.
 */
const isFirefox = () => test.info().project.name === "firefox";

/** It has ended the test's own script before that had written. */
const wasEnded = (server: ScratchServer, tells?: string) => isFirefox() && !!tells && !server.told.has(tells);

/**
 * Leaves, and sees the last push arrive although its page is gone. Where Firefox has dropped it, the next page must send
 * all, and the departure is made again, up to three times.
 */
async function arrives(visitor: Visitor, server: ScratchServer, leave: (n: number) => Promise<Written>): Promise<void> {
  for (let n = 1; ; n++) {
    const { last, all, tells } = await leave(n);
    let dropped = false;
    await expect
      .poll(() => server.held(), { timeout: isFirefox() ? 5_000 : 10_000 })
      .toMatchObject(last)
      .catch((error: unknown) => {
        if (!isFirefox() || n === 3) throw error;
        dropped = true;
      });
    if (dropped && wasEnded(server, tells)) {
      await settle(visitor, server);
      continue;
    }
    await comesBack(visitor, server, all);
    if (!dropped) return;
    test.info().annotations.push({ type: "the last push was dropped" });
  }
}

for (const how of ["navigation", "reload", "close"] satisfies Departure[]) {
  test(`${how}: what was written just before arrives without the page`, async ({ server, visitor }) => {
    await settle(visitor, server);
    await visitor.run('session.setValue("note", "first"); void session.sleep();');
    await expect.poll(() => server.held()).toEqual({ note: "first" });

    await arrives(visitor, server, async (n) => {
      await visitor.leave(how, `session.setValue("note", "last ${n}"); session.update("clicks", (n) => n + 1);`);
      const all = { note: `last ${n}`, clicks: n };
      return { last: all, all };
    });
  });

  test(`${how}: what a push under way and the last one both carry counts once`, async ({ server, visitor }) => {
    await settle(visitor, server);
    await visitor.run('session.setValue("note", "first"); void session.sleep();');
    await expect.poll(() => server.held()).toEqual({ note: "first" });

    await arrives(visitor, server, async (n) => {
      const before = server.pushes.length;
      let release = () => {};
      server.gate = new Promise((resolve) => {
        release = resolve;
      });
      await visitor.run('session.update("clicks", (n) => n + 1); void session.sleep();');
      await expect.poll(() => server.pushes.length).toBe(before + 1);
      await visitor.leave(how, 'session.update("clicks", (n) => n + 1);');
      if (!isFirefox()) await expect.poll(() => server.pushes.length).toBeGreaterThan(before + 1);
      release();
      const all = { note: "first", clicks: 2 * n };
      return { last: all, all };
    });
  });

  test(`${how}: of 200,000 characters the oldest go at once and the rest with the next page`, async ({
    server,
    visitor,
  }) => {
    await settle(visitor, server);
    await visitor.run('session.setValue("note", "first"); void session.sleep();');
    await expect.poll(() => server.held()).toEqual({ note: "first" });

    const keys = ["a", "b", "c", "d"];
    await arrives(visitor, server, async (n) => {
      const length = 50_000 + n;
      const writes = keys.map((key) => `session.setValue("${key}", "${key}".repeat(${length}));`);
      await visitor.leave(how, `session.update("clicks", (n) => n + 1); ${writes.join(" ")}`);
      const large = Object.fromEntries(keys.map((key) => [key, key.repeat(length)]));
      return { last: { clicks: n }, all: { note: "first", clicks: n, ...large } };
    });
  });

  for (const event of ["pagehide", "visibilitychange"]) {
    test(`${how}: what the app's own ${event} handler writes arrives, and is safe without the server`, async ({
      server,
      visitor,
    }) => {
      const onTheWayOut = (note: string) =>
        `for (const target of [window, document]) {
           target.addEventListener("${event}", () => {
             session.setValue("note", "${note}");
             navigator.sendBeacon("/told?${note}");
           }, { once: true });
         }`;
      await settle(visitor, server);
      await visitor.run('session.setValue("note", "first"); void session.sleep();');
      await expect.poll(() => server.held()).toEqual({ note: "first" });

      await arrives(visitor, server, async (n) => {
        const note = `online-${n}`;
        await visitor.leave(how, onTheWayOut(note));
        return { last: { note }, all: { note }, tells: note };
      });

      for (let n = 1; ; n++) {
        const before = await server.held();
        const note = `offline-${n}`;
        server.refuses = true;
        await visitor.leave(how, onTheWayOut(note));
        await visitor.open(`${server.url}/away`);
        expect(await server.held()).toEqual(before);
        server.refuses = false;
        if (n === 3 || !wasEnded(server, note)) return comesBack(visitor, server, { note });
        await settle(visitor, server);
      }
    });
  }
}
