import { type Op, SessionError, type SyncSuccess } from "@catnap/shared";
import type pg from "pg";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { adapters, createApp, createBrowser } from "../../../test/app.ts";
import { push } from "../../../test/pushes.ts";
import { startPostgres } from "../../../test/servers/postgres.ts";
import { tapped } from "../../../test/servers/postgres-tap.ts";
import { startProxy } from "../../../test/servers/proxy.ts";
import { postgresStore } from "./postgres-store.ts";

// A whole server, from HTTP to PostgreSQL, while the database or the way to it is down.

const server = await startPostgres();
afterAll(() => server?.stop());

const cleanups: (() => unknown)[] = [];
const unhandled: unknown[] = [];
const note = (reason: unknown) => void unhandled.push(reason);
beforeEach(() => {
  process.on("unhandledRejection", note);
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  // Rejections are told of when the microtasks are through.
  await new Promise(setImmediate);
  process.off("unhandledRejection", note);
  expect(unhandled.splice(0)).toEqual([]);
});

describe.skipIf(!server)("a server over postgresStore", () => {
  if (!server) return;

  /** A server process's worth: a store, the kit over it, and tRPC's fetch adapter. `before` runs as a statement is sent. */
  async function serve(pool: pg.Pool, before: (text: string) => unknown = () => undefined) {
    const pooled = tapped(pool, async (query, client) => {
      await before(query.text);
      return client.query(query);
    });
    const asked = { connections: 0 };
    const connect = () => {
      asked.connections++;
      return pooled.connect();
    };
    const store = postgresStore({ ...pooled, connect }, { timeout: 2 });
    const app = createApp({ store });
    const mounted = await adapters.fetch(app);
    cleanups.push(async () => {
      await app.sessions.close().catch(() => undefined);
      await mounted.close();
    });
    return { store, app, asked, browser: createBrowser(mounted.url) };
  }

  const codeOf = (promise: Promise<unknown>) =>
    promise.then(
      () => "ok",
      (error: unknown) => SessionError.from(error)?.code ?? String(error),
    );

  const click: Op = { seq: 1, key: "clicks", value: "1", base: 0, from: null };
  const direct = () => postgresStore(server.pool());

  /** A browser with a session, on a server whose way to the database may be cut while a commit is on it. */
  async function onTheWay(cut: (address: Awaited<ReturnType<typeof startProxy>>) => unknown) {
    const address = await startProxy(server?.port ?? 0);
    cleanups.push(() => address.stop());
    let cutting = false;
    const pool = server?.pool({ port: address.port, max: 2 });
    if (!pool) throw new Error("unreachable");
    const { store, app, browser } = await serve(pool, async (text) => {
      if (cutting && text.includes(".write(")) {
        cutting = false;
        await cut(address);
      }
    });
    await store.migrate();
    await browser.api.session.setValue.mutate({ key: "note", value: "hello" });
    const { identifier } = await browser.api.facts.query();
    if (identifier === null) throw new Error("unreachable");
    const sent = push({ identifier, ops: [click] });
    const sync = () => browser.api.session.sync.mutate(sent) as Promise<SyncSuccess>;
    const arm = () => {
      cutting = true;
    };
    return { address, app, browser, identifier, sync, arm };
  }

  const clicksOf = async (identifier: string) => (await direct().read(identifier))?.entries.get("clicks")?.value;

  test("a push whose connection is cut once it is in and before anybody is told counts once when it is repeated", async () => {
    const { address, browser, identifier, sync, arm } = await onTheWay((proxy) => proxy.muteServer());
    arm();
    const first = codeOf(sync());
    await expect.poll(() => clicksOf(identifier), { timeout: 10_000 }).toBe("1");
    address.cut();
    address.mend();
    expect(await first).toBe("STORE_UNAVAILABLE");
    expect(browser.seen.at(-1)?.status).toBe(503);
    const again = await sync();
    expect(again).toMatchObject({ ok: true, acked: 1 });
    expect(await clicksOf(identifier)).toBe("1");
    expect(await sync()).toMatchObject({ ok: true, acked: 1, rev: again.rev });
    expect(await clicksOf(identifier)).toBe("1");
  });

  test("a push whose connection is cut before it arrives is applied when it is repeated", async () => {
    const { address, browser, identifier, sync, arm } = await onTheWay((proxy) => proxy.cut(true));
    arm();
    expect(await codeOf(sync())).toBe("STORE_UNAVAILABLE");
    expect(browser.seen.at(-1)?.status).toBe(503);
    expect(await clicksOf(identifier)).toBeUndefined();
    address.mend();
    expect(await sync()).toMatchObject({ ok: true, acked: 1 });
    expect(await clicksOf(identifier)).toBe("1");
    expect(await sync()).toMatchObject({ ok: true, acked: 1 });
    expect(await clicksOf(identifier)).toBe("1");
  });

  test("one that starts while the database is down serves as soon as it is up", async () => {
    const earlier = await serve(server.pool());
    await earlier.store.migrate();
    await earlier.browser.api.session.setValue.mutate({ key: "note", value: "before" });
    const identifier = (await earlier.browser.api.facts.query()).identifier ?? "";
    await server.halt();

    const { store, app, browser, asked } = await serve(server.pool());
    await expect(store.migrate()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    const heard: number[] = [];
    const before = asked.connections;

    // Nobody's session: nothing is asked of the store.
    expect(await browser.api.theme.query()).toBe("light");
    expect(await browser.api.session.value.query({ key: "theme" })).toBe("light");
    expect(browser.seen.map(({ status }) => status)).toEqual([200, 200]);
    expect(asked.connections).toBe(before);

    // A new visitor's first write has nowhere to go.
    expect(await codeOf(browser.api.session.setValue.mutate({ key: "note", value: "lost" }))).toBe("STORE_UNAVAILABLE");
    expect(browser.seen.at(-1)).toMatchObject({ status: 503, setCookie: [] });

    for (const [name, content] of earlier.browser.jar) browser.jar.set(name, content);
    const stop = store.watch?.(identifier, (rev) => heard.push(rev));
    const calls = [
      () => browser.api.theme.query(),
      () => browser.api.session.value.query({ key: "note" }),
      () => browser.api.session.setValue.mutate({ key: "note", value: "lost" }),
      () => browser.api.session.sync.mutate(push({ identifier, ops: [click] })),
      () => browser.api.logout.mutate({}),
    ];
    for (const call of calls) {
      expect(await codeOf(call())).toBe("STORE_UNAVAILABLE");
      // The cookie stays, for when the database is back.
      expect(browser.seen.at(-1)).toMatchObject({ status: 503, setCookie: [] });
    }
    await expect(app.sessions.sweep()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });

    await server.start();
    expect(await browser.api.session.value.query({ key: "note" })).toBe("before");
    await browser.api.session.setValue.mutate({ key: "note", value: "after" });
    expect(await browser.api.session.sync.mutate(push({ identifier, ops: [click] }))).toMatchObject({ acked: 1 });
    await store.migrate();
    const record = await store.read(identifier);
    expect(record?.entries.get("clicks")?.value).toBe("1");
    await expect.poll(() => heard.at(-1), { timeout: 15_000 }).toBe(record?.rev);
    expect(await app.sessions.sweep()).toBe(0);
    stop?.();
    // Whoever had served before goes on, too.
    expect(await earlier.browser.api.session.value.query({ key: "note" })).toBe("after");
  });
});
