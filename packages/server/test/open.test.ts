import { Session, SessionError, type Transaction } from "@catnap/shared";
import { afterEach, describe, expect, expectTypeOf, test } from "vitest";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { adapters, createApp, createBrowser, gate, type Shop, shop } from "./app.ts";
import { push } from "./pushes.ts";
import { everyStore } from "./servers/every-store.ts";

// What a job, a webhook or a support tool does to a session, without a request.

const stores = await everyStore();
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const outcome = (work: Promise<unknown> | (() => unknown)) =>
  Promise.resolve()
    .then(() => (typeof work === "function" ? work() : work))
    .then(
      () => "ok",
      (error: unknown) => SessionError.from(error)?.code ?? String(error),
    );

const start = async (options: Parameters<typeof createApp>[0] = {}) => {
  const clock = { now: 1_800_000_000_000 };
  const store = memoryStore();
  const app = createApp({ store, clock: () => clock.now, ...options });
  const server = await adapters.fetch(app);
  cleanups.push(() => app.sessions.close());
  cleanups.push(() => server.close());
  const browser = createBrowser(server.url);
  await browser.api.session.setValue.mutate({ key: "note", value: "by the browser" });
  const { identifier } = await browser.api.facts.query();
  return { ...app, clock, store: options.store ?? store, url: server.url, browser, identifier };
};

describe("open, without a request", () => {
  test("reads and writes a living session, resolves to what the function returned, and the browser sees it", async () => {
    const { sessions, browser, identifier } = await start();
    const gave = await sessions.open(identifier, async (session) => {
      expectTypeOf(session).toEqualTypeOf<Session<Shop>>();
      session.setValue("csrfSeed", "secret");
      session.update("visits", (n) => n + 2);
      return `${session.identifier()} ${session.value("note")} ${session.previous()}`;
    });
    expectTypeOf(gave).toBeString();
    expect(gave).toBe(`${identifier} by the browser none`);
    expect(await browser.api.session.values.query()).toEqual({ note: "by the browser", visits: 2 });
    await sessions.open(identifier, (session) => session.delValue("note"));
    expect(await browser.api.session.values.query()).toEqual({ visits: 2 });
  });

  test("commits nothing when the function throws, but for what it has saved", async () => {
    const { sessions, store, identifier } = await start();
    const failing = sessions.open(identifier, async (session) => {
      session.setValue("visits", 1);
      await session.save();
      session.setValue("visits", 2);
      throw new Response(null, { status: 303 }); // no redirect either: there is nobody to send on
    });
    await expect(failing).rejects.toBeInstanceOf(Response);
    expect((await store.read(identifier))?.entries.get("visits")?.value).toBe("1");
    const kept: Session<Shop>[] = [];
    await sessions.open(identifier, (session) => void kept.push(session));
    expect(await outcome(() => kept[0]?.setValue("visits", 3))).toBe("SESSION_CLOSED");
  });

  test("is no use of the session: access time and count stay, and it expires when it would have", async () => {
    const { sessions, store, clock, browser, identifier } = await start({ timeout: 100, touchInterval: 0 });
    const before = await store.read(identifier);
    clock.now += 60_000;
    for (const work of [() => 1, (session: Session<Shop>) => session.setValue("visits", 9)])
      await sessions.open(identifier, (session) => {
        expect([session.numTransactions(), session.lastAccessTime()]).toEqual([2, before?.accessedAt]);
        return work(session);
      });
    const { accessedAt, transactions, rev, entries } = (await store.read(identifier)) ?? {};
    expect({ accessedAt, transactions, rev }).toEqual({ accessedAt: before?.accessedAt, transactions: 2, rev: 2 });
    // No token was renewed.
    expect(entries?.get("~tokens")).toEqual(before?.entries.get("~tokens"));
    clock.now += 41_000;
    expect(await outcome(sessions.open(identifier, () => "late"))).toBe("SESSION_EXPIRED");
    expect(await browser.api.session.values.query()).toEqual({});
  });

  test("is SESSION_GONE for a session that never was, has ended, or is another app's, and INVALID_OPTION for no identifier", async () => {
    const { sessions, store, browser, identifier } = await start();
    const other = createApp({ store, definition: { ...shop, name: "other" } });
    const theirs = await other.sessions.wake({ headers: {}, setCookie: () => undefined }).run((session) => {
      session.setValue("note", "of another app");
      return session.identifier();
    });
    expect(await outcome(other.sessions.open(theirs, () => 1))).toBe("ok");
    expect(await outcome(sessions.open(theirs, () => 1))).toBe("SESSION_GONE");
    expect(await outcome(sessions.open("A".repeat(22), () => 1))).toBe("SESSION_GONE");
    await browser.api.logout.mutate({});
    let ran = 0;
    expect(await outcome(sessions.open(identifier, () => ran++))).toBe("SESSION_GONE");
    for (const wrong of [undefined, null, "", "a b", 5, "é"])
      expect(await outcome(sessions.open(wrong as never, () => ran++))).toBe("INVALID_OPTION");
    expect(await outcome(sessions.open(identifier, undefined as never))).toBe("INVALID_OPTION");
    expect(ran).toBe(0);
  });

  test("opens no tombstone of a session that has ended", async () => {
    const { sessions, store, url } = await start();
    const nonce = "n".repeat(43);
    const visitor = createBrowser(url);
    const ops = [{ seq: 1, key: "clicks", value: "1", base: 0, from: null }];
    await visitor.api.session.sync.mutate(push({ nonce, ops }));
    const { identifier } = await visitor.api.facts.query();
    await visitor.api.logout.mutate({});
    const { items } = await store.find({ limit: 10 });
    const tombstone = items.find(({ transactions }) => transactions === 0)?.identifier ?? "";
    expect(tombstone).not.toBe("");
    for (const name of [identifier, tombstone])
      expect(await outcome(sessions.open(name, (session) => session.setValue("note", "n")))).toBe("SESSION_GONE");
  });

  test("has no browser to give a token to: login, rotate and sessionEncode say so, and change nothing", async () => {
    const { sessions, store, identifier } = await start({ tickets: true });
    const before = await store.read(identifier);
    const works: ((session: Session<Shop>) => unknown)[] = [
      (session) => session.login("ann"),
      (session) => session.rotate(),
      (session) => session.sessionEncode("https://shop.example/"),
    ];
    for (const work of works) {
      const opened = sessions.open(identifier, work);
      await expect(opened).rejects.toThrow(/sessions\.open has none that waits for an answer/);
      await expect(opened).rejects.toMatchObject({ code: "HEADERS_SENT" });
    }
    expect(await store.read(identifier)).toEqual(before);
  });

  test("invalidate ends the session, as revoke does", async () => {
    const { sessions, store, browser, identifier } = await start();
    const ended = sessions.open(identifier, async (session) => {
      await session.invalidate();
      session.setValue("note", "too late");
    });
    expect(await outcome(ended)).toBe("SESSION_GONE");
    expect(await store.read(identifier)).not.toBeNull(); // it threw
    await sessions.open(identifier, (session) => session.invalidate());
    expect(await store.read(identifier)).toBeNull();
    expect(await browser.api.session.values.query()).toEqual({});
  });

  test("asks neither the guard nor the limiter, and tells hooks and the subclass that it is no request", async () => {
    const told: string[] = [];
    const tell = (what: string) => (_: unknown, trans: Transaction) => void told.push(`${what} ${trans.reason}`);
    class Told extends Session<Shop> {
      override awake(trans: Transaction) {
        told.push(`subclass ${trans.reason}`);
        return super.awake(trans);
      }
    }
    let asked = 0;
    const hooks = { awake: tell("awake"), respond: tell("respond"), sleep: tell("sleep") };
    const { sessions, identifier } = await start({ hooks, session: Told, admit: () => ++asked > 0 });
    told.length = 0;
    await sessions.open(identifier, (session) => {
      expect(session).toBeInstanceOf(Told);
      session.setValue("note", "by a job");
    });
    expect(told).toEqual(["awake open", "subclass open", "respond open", "sleep open"]);
    expect(asked).toBe(1);
  });

  test("keeps to the limits, and to a session that ends under it", async () => {
    const limits = { ...shop.limits, sessionBytes: 100_000 };
    const { sessions, browser, identifier } = await start({ definition: { ...shop, limits } });
    const heavy = (session: Session<Shop>) => {
      for (const key of ["anything", "tree", "note"] as const) session.setValue(key, "x".repeat(60_000));
    };
    expect(await outcome(sessions.open(identifier, heavy))).toBe("LIMIT_EXCEEDED");
    const ended = sessions.open(identifier, async (session) => {
      session.setValue("note", "to nobody");
      await browser.api.logout.mutate({});
    });
    expect(await outcome(ended)).toBe("SESSION_GONE");
  });

  test("is heard by live tabs at once", async () => {
    const { sessions, browser, identifier } = await start();
    const heard: string[] = [];
    const input = { profile: "p".repeat(22), writer: "w".repeat(22), identifier, since: 99 };
    await new Promise<void>((resolve, reject) => {
      const subscription = browser.api.session.changes.subscribe(
        { ...input, since: 1 },
        {
          onStarted: () => void sessions.open(identifier, (session) => session.setValue("note", "by a job")),
          onData: ({ data }) => {
            heard.push(JSON.stringify(data));
            if (!heard.join().includes("by a job")) return;
            subscription.unsubscribe();
            resolve();
          },
          onError: reject,
        },
      );
    });
    expect(heard.at(-1)).toContain("by a job");
  });

  test("is waited for by close", async () => {
    const { sessions, store, identifier } = await start({ store: { ...memoryStore(), close: async () => undefined } });
    const { open, opened } = gate();
    const job = sessions.open(identifier, async (session) => {
      await opened;
      session.setValue("note", "before the end");
    });
    let closed = false;
    const closing = sessions.close().then(() => {
      closed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(closed).toBe(false);
    open();
    await Promise.all([job, closing]);
    expect((await store.read(identifier))?.entries.get("note")?.value).toContain("before the end");
  });
});

describe("revoke of a subject's", () => {
  test("ends nobody else's session, and tells it from none in nothing", async () => {
    const { sessions, url, browser } = await start();
    const [ann, bob] = [createBrowser(url), createBrowser(url)];
    await ann.api.login.mutate({ subject: "ann" });
    await bob.api.login.mutate({ subject: "bob" });
    const { identifier } = await ann.api.facts.query();
    const nobodys = await browser.api.facts.query();
    expect(await sessions.revoke(identifier, { subject: "bob" })).toBe(false);
    expect(await sessions.revoke(nobodys.identifier, { subject: "bob" })).toBe(false);
    expect(await sessions.revoke("A".repeat(22), { subject: "bob" })).toBe(false);
    expect((await ann.api.facts.query()).subject).toBe("ann");
    expect(await browser.api.session.values.query()).toEqual({ note: "by the browser" });
    expect(await sessions.revoke(identifier, { subject: "ann" })).toBe(true);
    expect(await sessions.revoke(identifier, { subject: "ann" })).toBe(false);
    expect((await ann.api.facts.query()).subject).toBe(null);
  });

  test("takes no missing or mistyped subject for anybody", async () => {
    const { sessions, browser, identifier } = await start();
    for (const query of [
      { subject: undefined },
      { subject: null },
      { subject: "" },
      {},
      { subjekt: "ann" },
      null,
      "ann",
    ])
      expect(await outcome(sessions.revoke(identifier, query as never))).toBe("INVALID_OPTION");
    expect(await browser.api.session.values.query()).toEqual({ note: "by the browser" });
  });
});

for (const [name, makeStore] of Object.entries(stores)) {
  test.skipIf(!makeStore)(`on ${name}, what jobs and requests count at once all counts`, async () => {
    if (!makeStore) return;
    const [store, other = store] = await makeStore(2);
    const { sessions, browser, identifier } = await start({ store, clock: Date.now });
    const second = createApp({ store: other });
    const calls = Array.from({ length: 30 }, (_, i) =>
      i % 3 === 0
        ? browser.api.increment.mutate()
        : (i % 3 === 1 ? sessions : second.sessions).open(identifier, (session) => {
            session.update("visits", (n) => n + 1);
          }),
    );
    await Promise.all(calls);
    expect(await browser.api.session.value.query({ key: "visits" })).toBe(30);
  });
}
