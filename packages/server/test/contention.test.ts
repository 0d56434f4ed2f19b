import { SessionError } from "@catnap/shared";
import { afterEach, describe, expect, test } from "vitest";
import type { SessionEvent, SessionStore } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { adapters, createApp, createBrowser } from "./app.ts";
import { push } from "./pushes.ts";
import { everyStore } from "./servers/every-store.ts";

// What many requests at once want of one session, or of one subject: in one process, and in two.

const stores = await everyStore();
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const outcome = (promise: Promise<unknown>) =>
  promise.then(
    () => "ok",
    (error: unknown) => SessionError.from(error)?.code ?? String(error),
  );
const tally = (outcomes: readonly string[]) =>
  Object.fromEntries(outcomes.map((each) => [each, outcomes.filter((other) => other === each).length]));

async function process(store: SessionStore, options: Parameters<typeof createApp>[0] = {}) {
  const reports: SessionEvent[] = [];
  const app = createApp({ store, report: (event) => void reports.push(event), ...options });
  const server = await adapters.fetch(app);
  cleanups.push(() => server.close());
  return { ...app, url: server.url, reports };
}

/** The same browser, at a server of the same app. */
function twinOf(browser: ReturnType<typeof createBrowser>, url: string) {
  const twin = createBrowser(url);
  for (const [name, content] of browser.jar) twin.jar.set(name, content);
  return twin;
}

for (const [name, makeStore] of Object.entries(stores)) {
  describe.skipIf(!makeStore)(`at once, on ${name}`, () => {
    if (!makeStore) return;

    test("50 updates of one counter all count, and none is refused", async () => {
      const [store, other = store] = await makeStore(2);
      const urls = [(await process(store)).url, (await process(other)).url];
      const browser = createBrowser(urls[0] ?? "");
      await browser.api.increment.mutate();
      for (const servers of [urls.slice(0, 1), urls]) {
        const before = await browser.api.session.value.query({ key: "visits" });
        const calls = Array.from({ length: 50 }, (_, i) => twinOf(browser, servers[i % servers.length] ?? ""));
        const outcomes = await Promise.all(calls.map(({ api }) => outcome(api.increment.mutate())));
        expect(tally(outcomes)).toEqual({ ok: 50 });
        expect(await browser.api.session.value.query({ key: "visits" })).toBe(Number(before) + 50);
      }
    });

    test("pushes of one counter by 30 tabs all count", async () => {
      const [store] = await makeStore();
      const { url } = await process(store);
      const browser = createBrowser(url);
      await browser.api.increment.mutate();
      const { identifier } = await browser.api.facts.query();
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, i) => {
          const ops = [{ seq: 1, key: "clicks", value: "1", base: 0, from: null }];
          return twinOf(browser, url).api.session.sync.mutate(push({ identifier, writer: `writer-${i}`, ops }));
        }),
      );
      expect(answers.filter(({ ok }) => !ok)).toEqual([]);
      expect(await browser.api.session.value.query({ key: "clicks" })).toBe(30);
    });

    test("12 requests that flash one value: one is given it, the others hear that it is taken, and nothing is left", async () => {
      const [store, other = store] = await makeStore(2);
      const urls = [(await process(store)).url, (await process(other)).url];
      const browser = createBrowser(urls[0] ?? "");
      for (let round = 0; round < 3; round++) {
        await browser.api.session.setValue.mutate({ key: "note", value: `notice ${round}` });
        const given: unknown[] = [];
        const outcomes = await Promise.all(
          Array.from({ length: 12 }, async (_, i) =>
            outcome(
              twinOf(browser, urls[i % 2] ?? "")
                .api.flash.mutate({})
                .then((value) => value !== undefined && given.push(value)),
            ),
          ),
        );
        expect(given).toEqual([`notice ${round}`]);
        expect(outcomes.filter((each) => each !== "ok" && each !== "CONFLICT")).toEqual([]);
        expect(await browser.api.session.values.query()).toEqual({});
      }
    });

    test("logins of one subject: as many as it may have are in, the others keep their sessions and carts, as they were", async () => {
      const [store, other = store] = await makeStore(2);
      const maxSessions = { perSubject: 1, whenFull: "reject" } as const;
      const servers = [await process(store, { maxSessions }), await process(other, { maxSessions })];
      const visitors = await Promise.all(
        Array.from({ length: 10 }, async (_, i) => {
          const visitor = createBrowser(servers[i % servers.length]?.url ?? "");
          await visitor.api.session.setValue.mutate({ key: "cart", value: [{ sku: `of-${i}`, count: 1 }] });
          return visitor;
        }),
      );
      const outcomes = await Promise.all(visitors.map(({ api }) => outcome(api.login.mutate({ subject: "ann" }))));
      expect(tally(outcomes)).toEqual({ ok: 1, TOO_MANY_SESSIONS: 9 });
      expect(await servers[0]?.sessions.list({ subject: "ann" })).toHaveLength(1);
      for (const [i, { api }] of visitors.entries()) {
        const isIn = outcomes[i] === "ok";
        expect((await api.facts.query()).subject).toBe(isIn ? "ann" : null);
        expect(await api.session.values.query()).toEqual({
          cart: [{ sku: `of-${i}`, count: 1 }],
          ...(isIn && { user: { id: "ann", name: "ann" } }),
        });
      }
    });

    test("logins that end the oldest: as many as a subject may have are left, and none ends itself", async () => {
      const clock = 1_800_000_000_000;
      const [store, other = store] = await makeStore(2);
      const options = { maxSessions: { perSubject: 3, whenFull: "endOldest" as const }, clock: () => clock };
      const servers = [await process(store, options), await process(other, options)];
      const outcomes = await Promise.all(
        Array.from({ length: 9 }, (_, i) =>
          outcome(createBrowser(servers[i % servers.length]?.url ?? "").api.login.mutate({ subject: "ann" })),
        ),
      );
      expect(tally(outcomes)).toEqual({ ok: 9 });
      expect(await servers[0]?.sessions.list({ subject: "ann" })).toHaveLength(3);
      expect(servers.flatMap(({ reports }) => reports)).toEqual([]);
      // In the same millisecond as all of them.
      const last = createBrowser(servers[1]?.url ?? "");
      await last.api.login.mutate({ subject: "ann" });
      expect((await last.api.facts.query()).subject).toBe("ann");
    });
  });
}

test("in one process updates of one session at once are hardly refused: each goes on from what the one before has left", async () => {
  const store = memoryStore();
  let [reads, writes] = [0, 0];
  let allHaveRead = () => {};
  const together = new Promise<void>((resolve) => {
    allHaveRead = resolve;
  });
  const slow: SessionStore = {
    ...store,
    read: async (identifier) => {
      const record = await store.read(identifier);
      if (++reads === 51) allHaveRead();
      return record;
    },
    write: async (key, commit) => {
      writes++;
      if (commit.create === undefined) await together;
      return store.write(key, commit);
    },
  };
  const { url } = await process(slow);
  const browser = createBrowser(url);
  await browser.api.session.setValue.mutate({ key: "visits", value: 1 });
  [reads, writes] = [1, 0];
  await Promise.all(Array.from({ length: 50 }, () => twinOf(browser, url).api.increment.mutate()));
  expect(await browser.api.session.value.query({ key: "visits" })).toBe(51);
  expect(writes).toBeLessThanOrEqual(52);
});

test("an update whose answer is late holds up no other", async () => {
  const store = memoryStore();
  let answer: (() => void) | undefined;
  const slow: SessionStore = {
    ...store,
    write: async (key, commit) => {
      const result = await store.write(key, commit);
      if (commit.expect.has("visits") && !answer) await new Promise<void>((resolve) => (answer = resolve));
      return result;
    },
  };
  const { url } = await process(slow);
  const browser = createBrowser(url);
  await browser.api.session.setValue.mutate({ key: "note", value: "n" });
  const late = twinOf(browser, url).api.increment.mutate();
  await expect.poll(() => answer).toBeDefined();
  for (let i = 0; i < 2; i++) await twinOf(browser, url).api.increment.mutate();
  expect(await browser.api.session.value.query({ key: "visits" })).toBe(3);
  answer?.();
  await late;
});

test("a turn that does not come within ten seconds is a CONFLICT, and so is a commit that others keep overtaking", async () => {
  const store = memoryStore();
  const overtaken: SessionStore = {
    ...store,
    write: async (key, commit) => {
      // Somebody else is always a moment earlier.
      if (commit.expect.has("visits")) {
        const changes = new Map([["visits", { value: String(Math.random()), writer: "server", seq: 0 }]]);
        await store.write(key, { ...commit, expect: new Map(), changes });
      }
      return store.write(key, commit);
    },
  };
  const { url } = await process(overtaken);
  const browser = createBrowser(url);
  await browser.api.session.setValue.mutate({ key: "note", value: "n" });
  const before = performance.now();
  const calls = Array.from({ length: 3 }, () => outcome(twinOf(browser, url).api.increment.mutate()));
  expect(tally(await Promise.all(calls))).toEqual({ CONFLICT: 3 });
  expect(performance.now() - before).toBeLessThan(15_000);
});
