import { type AnyDefinition, counter, defineSession, type Op } from "@catnap/shared";
import { initTRPC } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { createSessions, type SessionStore, type Sessions, type WakeSource } from "../src/index.ts";
import { postgresStore } from "../src/stores/postgres/postgres-store.ts";
import { redisStore } from "../src/stores/redis/redis-store.ts";
import { push } from "./pushes.ts";
import { startPostgres } from "./servers/postgres.ts";
import { startRedis } from "./servers/redis.ts";

// A push of a session that its process knows is one round trip to the store; whatever others have done meanwhile, it is as if
// the process had asked.

const postgres = await startPostgres();
const redis = await startRedis();
afterAll(() => Promise.all([postgres?.stop(), redis?.stop()]));

const shop = defineSession({ shared: { note: z.string(), visits: counter() }, readonly: { user: z.string() } });
type Shop = typeof shop;

/** How far the processes' clocks have gone on. */
const passed = { ms: 0 };
afterEach(() => {
  passed.ms = 0;
});

const closing: Pick<Sessions<AnyDefinition>, "close">[] = [];
afterEach(async () => {
  for (const sessions of closing.splice(0)) await sessions.close();
});

/** What a process asks of its store, by name; a write waits for `ready`. */
function counting(store: SessionStore, asked: string[], ready: { write: () => unknown }): SessionStore {
  const names = ["read", "write", "touch", "delete"] as const;
  const told = names.map((name) => [
    name,
    async (...args: unknown[]) => {
      asked.push(name);
      if (name === "write") await ready.write();
      return (store[name] as (...args: unknown[]) => unknown)(...args);
    },
  ]);
  return { ...store, ...Object.fromEntries(told) };
}

/** Where the app sees the session before a push. */
type Watched = "nowhere" | "middleware" | "hook";

/** A process with its own handle on the data. */
function start(store: SessionStore, watched: Watched = "nowhere") {
  const asked: string[] = [];
  const seen: unknown[] = [];
  const cookies: string[] = [];
  const ready = { write: (): unknown => undefined };
  const sessions = createSessions({
    ...{ definition: shop, store: counting(store, asked, ready), sweepInterval: 0, grace: 30, renewal: 60 },
    clock: () => Date.now() + passed.ms,
    ...(watched === "hook" && { hooks: { awake: (session) => void seen.push(session.value("user", null)) } }),
  });
  closing.push(sessions);
  const createContext = (options: WakeSource) => ({ session: sessions.wake(options) });
  const t = initTRPC.context<typeof createContext>().create();
  const own = t.procedure.use(sessions.middleware);
  const procedure =
    watched === "middleware"
      ? own.use(({ ctx, next }) => {
          seen.push(ctx.session.value("user", null));
          return next();
        })
      : own;
  const router = t.router({ session: sessions.router({ procedure }) });
  const sync = (cookie: string, identifier: string, ...ops: Partial<Op>[]) =>
    syncAs("writer-1", cookie, identifier, ...ops);
  async function syncAs(writer: string, cookie: string, identifier: string, ...ops: Partial<Op>[]) {
    const all = ops.map((op, i) => ({ seq: i + 1, key: "note", value: null, base: 0, ...op }));
    const body = JSON.stringify(push({ writer, identifier, ops: all, upTo: all.at(-1)?.seq ?? 0 }));
    const headers = { cookie, "content-type": "application/json", "sec-fetch-site": "same-origin" };
    const req = new Request("https://shop.test/trpc/session.sync", { method: "POST", headers, body });
    const response = await fetchRequestHandler({ endpoint: "/trpc", req, router, createContext });
    cookies.push(...response.headers.getSetCookie());
    return (await response.json()).result.data;
  }
  const run = (cookie: string, work: Parameters<Sessions<Shop>["run"]>[1]) =>
    sessions.run(
      new Request("https://shop.test/", { method: "POST", headers: { cookie, "sec-fetch-site": "same-origin" } }),
      work,
    );
  return { sessions, asked, ready, seen, cookies, sync, syncAs, run };
}

const places: [string, boolean, () => Promise<() => Promise<SessionStore>>][] = [
  [
    "PostgreSQL",
    postgres !== undefined,
    async () => {
      const pool = postgres?.pool();
      if (!pool) throw new Error("skipped");
      await postgresStore(pool).migrate();
      return async () => postgresStore(pool);
    },
  ],
  [
    "Redis",
    redis !== undefined,
    async () => async () => {
      if (!redis) throw new Error("skipped");
      return redisStore(await redis.nodeRedis());
    },
  ],
];

describe.each(places)("over %s", (_, installed, place) => {
  /** Two processes, and a session that the first one knows. */
  async function known(watched?: Watched) {
    const open = await place();
    const [one, two] = [start(await open(), watched), start(await open())];
    let identifier = "";
    const response = await one.run("", (session) => {
      session.setValue("note", "a");
      identifier = session.identifier();
      return new Response();
    });
    const cookie = response.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    await one.run(cookie, (session) => new Response(session.value("note")));
    one.asked.length = 0;
    return { one, two, cookie, identifier };
  }

  test.skipIf(!installed)("a push of a session that the process knows is one write, one after another", async () => {
    const { one, two, cookie, identifier } = await known();
    expect(await one.sync(cookie, identifier, { value: '"b"' })).toMatchObject({ ok: true, acked: 1, rev: 2 });
    const next = { seq: 2, key: "visits", value: "1", from: null };
    expect(await one.sync(cookie, identifier, next)).toMatchObject({ ok: true, acked: 2, rev: 3 });
    expect(one.asked).toEqual(["write", "write"]);
    await two.run(cookie, (session) => {
      expect({ ...session.values() }).toEqual({ note: "b", visits: 1 });
      return new Response();
    });
  });

  test.skipIf(!installed)("a push without changes, or one that was done, asks for the session", async () => {
    const { one, two, cookie, identifier } = await known();
    await two.run(cookie, (session) => {
      session.setValue("note", "theirs");
      return new Response();
    });
    const pulled = await one.sync(cookie, identifier);
    expect(pulled.entries.note).toMatchObject({ value: '"theirs"' });
    await two.sync(cookie, identifier, { value: '"b"', base: 2 });
    expect(await one.sync(cookie, identifier, { value: '"b"', base: 2 })).toMatchObject({ ok: true, acked: 1, rev: 3 });
    expect(one.asked.filter((name) => name === "write").length).toBeLessThanOrEqual(1);
  });

  test.skipIf(!installed)("pushes that come at once take turns, and each is in with its turn", async () => {
    const { one, cookie, identifier } = await known();
    const visit = { key: "visits", value: "1", from: null };
    const tabs = Array.from({ length: 20 }, (_, i) => `writer-1${i}`);
    const answers = await Promise.all(tabs.map((tab) => one.syncAs(tab, cookie, identifier, visit)));
    for (const answer of answers) expect(answer).toMatchObject({ ok: true, acked: 1 });
    // The first needs no turn, which the next may not know yet; whoever waits for a turn reads what is new first.
    expect(one.asked.filter((name) => name === "write").length).toBeLessThanOrEqual(22);
    expect(one.asked.length).toBeLessThanOrEqual(42);
    const shown = await one.run(cookie, (session) => new Response(String(session.value("visits"))));
    expect(await shown.text()).toBe("20");
  });

  test.skipIf(!installed)("a push that comes while others take turns waits for its own", async () => {
    const { one, cookie, identifier } = await known();
    let goOn: () => void = () => undefined;
    let writes = 0;
    // The third: of two that came at once one was refused, and it is its turn.
    one.ready.write = () => ++writes === 3 && new Promise<void>((resolve) => (goOn = resolve));
    const visit = (tab: string) => one.syncAs(tab, cookie, identifier, { key: "visits", value: "1", from: null });
    const two = [visit("writer-1"), visit("writer-2")];
    await expect.poll(() => writes).toBe(3);
    const last = visit("writer-3");
    await expect.poll(() => one.asked).toContain("read");
    expect(writes).toBe(3);
    goOn();
    for (const answer of await Promise.all([...two, last])) expect(answer).toMatchObject({ ok: true, acked: 1 });
    expect(writes).toBe(4);
  });

  test.skipIf(!installed)("what another process has committed meanwhile is met and kept, and told", async () => {
    const { one, two, cookie, identifier } = await known();
    for (let i = 0; i < 3; i++) {
      await two.run(cookie, (session) => {
        session.update("visits", (visits) => visits + 1);
        return new Response();
      });
      const answer = await one.sync(cookie, identifier, { seq: i + 1, key: "visits", value: "1", from: null });
      expect(answer.entries.visits).toMatchObject({ value: String(2 * i + 2) });
    }
  });

  test.skipIf(!installed)("what a tab has written to another session is not written to this one", async () => {
    const { one, cookie } = await known();
    const answer = await one.sync(cookie, "another-session-of-the-tab", { value: '"b"' });
    expect(answer).toMatchObject({ ok: false, code: expect.stringMatching(/^SESSION_/) });
    const shown = await one.run(cookie, (session) => new Response(session.value("note")));
    expect(await shown.text()).toBe("a");
  });

  test.skipIf(!installed)("a session that another process has ended takes nothing more", async () => {
    const { one, two, cookie, identifier } = await known();
    await two.sessions.revoke(identifier);
    expect(await one.sync(cookie, identifier, { value: '"b"' })).toMatchObject({ ok: false, code: "SESSION_GONE" });
  });

  test.skipIf(!installed)("a token that another process has retired opens nothing any more", async () => {
    const { one, two, cookie, identifier } = await known();
    const response = await two.run(cookie, (session) => {
      session.login("ann");
      return new Response();
    });
    const token = response.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    // Its first use ends what the old one may do, and the grace.
    for (const use of [1, 2])
      expect(await two.sync(token, identifier, { seq: use, value: '"x"' })).toMatchObject({ ok: true });
    const found = await one.sync(token, identifier, { seq: 3, value: '"y"' });
    expect(found).toMatchObject({ ok: true, acked: 3 });
    expect(one.asked.slice(0, 1)).toEqual(["read"]);
  });

  test.skipIf(!installed)("a browser that does nothing but push has its token renewed when it is due", async () => {
    const { one, cookie, identifier } = await known();
    passed.ms = 61_000;
    expect(await one.sync(cookie, identifier, { value: '"b"' })).toMatchObject({ ok: true, acked: 1 });
    expect(one.cookies).toHaveLength(1);
  });

  test.skipIf(!installed)("uses that others have noted are in the count that it answers", async () => {
    const { one, two, cookie, identifier } = await known();
    for (let i = 0; i < 3; i++) await two.run(cookie, (session) => new Response(session.value("note")));
    await two.sessions.close(); // writes what waits
    const { facts } = await one.sync(cookie, identifier, { value: '"b"' });
    expect(facts.transactions).toBe(6);
  });

  test.skipIf(!installed).each(["middleware", "hook"] as const)(
    "a %s of the app's sees the session as it is, not as remembered",
    async (where) => {
      const { one, two, cookie, identifier } = await known(where);
      one.seen.length = 0;
      await two.run(cookie, (session) => {
        session.setValue("user", "banned");
        return new Response();
      });
      await one.sync(cookie, identifier, { value: '"b"' });
      expect(one.seen).toEqual(["banned"]);
      expect(one.asked).toEqual(["read", "write"]);
    },
  );
});
