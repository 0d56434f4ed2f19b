import type { ChangesEvent, ChangesInput } from "@catnap/shared";
import { afterEach, describe, expect, test } from "vitest";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { adapters, createApp, createBrowser, type Server } from "./app.ts";
import { push } from "./pushes.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Browser = ReturnType<typeof createBrowser>;

/** Follows a session and keeps what comes. */
function follow({ api }: Browser, input: Partial<ChangesInput> & { identifier: string }) {
  const stream = { events: [] as ChangesEvent[], ids: [] as string[], ended: "", started: 0 };
  const subscription = api.session.changes.subscribe(
    { profile: "profile-1", writer: "writer-1", since: 0, ...input },
    {
      onStarted: () => void stream.started++,
      onData: ({ id, data }) => {
        stream.ids.push(id);
        stream.events.push(data);
      },
      onError: (error) => {
        stream.ended = `${error.data?.code}: ${error.message}`;
      },
      onComplete: () => {
        stream.ended ||= "complete";
      },
    },
  );
  cleanups.push(() => subscription.unsubscribe());
  return Object.assign(stream, { stop: () => subscription.unsubscribe() });
}

async function start(mount: (typeof adapters)["fetch"], options: Parameters<typeof createApp>[0] = {}) {
  const app = createApp(options);
  let server: Server = await mount(app);
  cleanups.push(() => app.sessions.close());
  cleanups.push(() => server.close());
  const device = createBrowser(server.url);
  await device.api.session.setValue.mutate({ key: "note", value: "first" });
  const { identifier } = await device.api.facts.query();
  /** Another device of the same session, as a ticket would make it: with a copy of the cookie here. */
  const other = createBrowser(server.url);
  for (const [name, content] of device.jar) other.jar.set(name, content);
  return { app, device, other, identifier, url: server.url, restart: async () => (server = await mount(app)) };
}

const entriesOf = (event: ChangesEvent | undefined) => (event?.ok ? event.entries : event);

for (const [name, mount] of Object.entries(adapters)) {
  describe(`changes over tRPC's ${name} adapter`, () => {
    test("tell what the tab missed, then what comes, each once", async () => {
      const { device, other, identifier } = await start(mount);
      const stream = follow(other, { identifier });
      await expect.poll(() => stream.events.length).toBe(1);
      await device.api.session.setValue.mutate({ key: "theme", value: "dark" });
      await expect.poll(() => stream.events.length).toBe(2);
      await device.api.session.delValue.mutate({ key: "note" });
      await expect.poll(() => stream.events.length).toBe(3);
      expect(stream.events).toMatchObject([
        { ok: true, since: 0, rev: 1, entries: { note: { value: '"first"', rev: 1 } } },
        { ok: true, since: 1, rev: 2, entries: { theme: { value: '"dark"', rev: 2 } } },
        { ok: true, since: 2, rev: 3, entries: {}, deleted: { note: 3 } },
      ]);
      expect(stream.ids).toEqual(["1", "2", "3"]);
    });

    test("tell each note once", async () => {
      const { device, other, identifier } = await start(mount);
      const change = (browser: Browser, profile: string, seq: number, value: string) =>
        browser.api.session.sync.mutate(push({ identifier, profile, ops: [{ seq, key: "note", value, base: 0 }] }));
      await change(other, "profile-1", 1, '"mine"');
      const stream = follow(other, { identifier, since: 2 });
      await expect.poll(() => stream.started).toBe(1);
      for (const seq of [1, 2]) {
        await change(device, "profile-2", seq, `"theirs ${seq}"`);
        await expect.poll(() => stream.events.length).toBe(seq);
      }
      const notes = stream.events.map((event) => event.ok && event.notes.map(({ what, was }) => `${what} ${was}`));
      expect(notes).toEqual([['lost "mine"'], []]);
    });

    test("lose nothing that is written while they read: they listen first", async () => {
      const inner = memoryStore();
      const held = { reads: 0, gate: Promise.resolve(), release: () => {} };
      const read: typeof inner.read = async (key) => {
        const record = await inner.read(key);
        // The first is the request's own, the second the stream's.
        if (++held.reads === 2) await held.gate;
        return record;
      };
      const { device, other, identifier } = await start(mount, { store: { ...inner, read } });
      held.gate = new Promise((resolve) => {
        held.release = resolve;
      });
      held.reads = 0;
      const stream = follow(other, { identifier, since: 1 });
      await expect.poll(() => held.reads).toBe(2);
      await device.api.session.setValue.mutate({ key: "note", value: "meanwhile" });
      held.release();
      await expect.poll(() => stream.events.length).toBe(1);
    });

    test("resume after the last event that arrived", async () => {
      const { device, other, identifier } = await start(mount);
      await device.api.session.setValue.mutate({ key: "theme", value: "dark" });
      const stream = follow(other, { identifier, since: 0, lastEventId: "1" });
      await expect.poll(() => stream.events.length).toBe(1);
      expect(stream.events[0]).toMatchObject({ since: 1, rev: 2, entries: { theme: { value: '"dark"' } } });
    });

    test("leave out what this browser itself has pushed, until somebody else writes", async () => {
      const { device, other, identifier } = await start(mount);
      const stream = follow(other, { identifier, since: 1 });
      await expect.poll(() => stream.started).toBe(1);
      const ops = [{ seq: 1, key: "theme", value: '"dark"', base: 0 }];
      await other.api.session.sync.mutate(push({ identifier, since: 1, ops }));
      await device.api.session.setValue.mutate({ key: "note", value: "second" });
      await expect.poll(() => stream.events.length).toBe(1);
      expect(stream.events[0]).toMatchObject({ since: 1, rev: 3, decided: { "writer-1": 1 } });
    });

    test("end with an event when the session is invalidated or revoked", async () => {
      const { app, device, other, identifier } = await start(mount);
      const [first, second] = [follow(other, { identifier }), follow(device, { identifier })];
      await expect.poll(() => first.events.length + second.events.length).toBe(2);
      await app.sessions.revoke(identifier);
      for (const stream of [first, second]) {
        await expect.poll(() => stream.ended).toBe("complete");
        expect(stream.events.at(-1)).toMatchObject({ ok: false, code: "SESSION_GONE" });
      }
    });

    test("end with an event at the very moment the session expires", async () => {
      const { device, other, identifier } = await start(mount);
      const stream = follow(other, { identifier });
      await device.api.shorten.mutate({ seconds: 0.3 });
      await expect.poll(() => stream.ended).toBe("complete");
      expect(stream.events.at(-1)).toMatchObject({ ok: false, code: "SESSION_EXPIRED" });
    });

    test("end without an event when the token is rotated, and come back with the new one alone", async () => {
      const { device, other, identifier } = await start(mount);
      const [old, own] = [follow(other, { identifier }), follow(device, { identifier })];
      await expect.poll(() => old.events.length + own.events.length).toBe(2);
      await device.api.rotate.mutate({});
      await expect.poll(() => [old.ended, own.ended]).toEqual(["complete", "complete"]);
      expect([...old.events, ...own.events].every(({ ok }) => ok)).toBe(true);
      const back = follow(device, { identifier, since: 1 });
      await device.api.session.setValue.mutate({ key: "note", value: "after" });
      await expect.poll(() => entriesOf(back.events.at(-1))).toMatchObject({ note: { value: '"after"' } });
      expect(old.events).toHaveLength(1);
    });

    test("tell nothing of another session", async () => {
      const { other, identifier, url } = await start(mount);
      const stranger = createBrowser(url);
      await stranger.api.session.setValue.mutate({ key: "note", value: "strange" });
      const { identifier: foreign } = await stranger.api.facts.query();
      const streams = [follow(other, { identifier: foreign }), follow(createBrowser(url), { identifier })];
      await expect.poll(() => streams.map(({ ended }) => ended)).toEqual(["complete", "complete"]);
      expect(streams.map(({ events }) => events)).toMatchObject([
        [{ ok: false, code: "SESSION_REPLACED" }],
        [{ ok: false, code: "NO_COOKIE" }],
      ]);
    });

    test("never carry a secret", async () => {
      const { device, other, identifier } = await start(mount);
      const stream = follow(device, { identifier });
      await device.api.login.mutate({ subject: "ann" });
      await expect.poll(() => stream.ended).toBe("complete");
      const back = follow(device, { identifier });
      await expect.poll(() => entriesOf(back.events[0])).toMatchObject({ user: {} });
      expect(JSON.stringify([stream.events, back.events])).not.toMatch(/canary-secret|csrfSeed|~tokens/);
      expect(other.seen.flatMap(({ setCookie }) => setCookie)).toEqual([]);
    });

    test("are refused beyond maxStreams, with what to do", async () => {
      const { other, identifier } = await start(mount, { maxStreams: 2 });
      const streams = [follow(other, { identifier }), follow(other, { identifier })];
      await expect.poll(() => streams.map(({ events }) => events.length)).toEqual([1, 1]);
      const third = follow(other, { identifier });
      await expect.poll(() => third.ended).toMatch(/TOO_MANY_REQUESTS: .*one is enough for a browser/);
      streams[0]?.stop();
      await expect
        .poll(async () => {
          const again = follow(other, { identifier });
          await expect.poll(() => again.events.length + again.ended.length).toBeGreaterThan(0);
          return again.events.length;
        })
        .toBe(1);
    });

    test("say plainly that a store without watch cannot carry them", async () => {
      const { watch: _, ...store } = memoryStore();
      const { other, identifier } = await start(mount, { store });
      const stream = follow(other, { identifier });
      await expect.poll(() => stream.ended).toMatch(/METHOD_NOT_SUPPORTED: .*watch/);
    });

    test("end when the server closes, and leave no listener in the store", async () => {
      const store = memoryStore();
      let listening = 0;
      const watch: NonNullable<typeof store.watch> = (key, listener) => {
        listening++;
        const end = store.watch?.(key, listener);
        return () => {
          listening--;
          end?.();
        };
      };
      const { app, other, identifier } = await start(mount, { store: { ...store, watch } });
      const [left, stays] = [follow(other, { identifier }), follow(other, { identifier })];
      await expect.poll(() => left.events.length + stays.events.length).toBe(2);
      left.stop();
      await expect.poll(() => listening).toBe(1);
      await app.sessions.close();
      await expect.poll(() => stays.ended).toBe("complete");
      expect(listening).toBe(0);
    });
  });
}

test("a change that falls between listening and reading is not missed", async () => {
  const store = memoryStore();
  const { app, device, other, identifier } = await start(adapters.fetch, { store });
  let before: (() => Promise<unknown>) | undefined;
  const read = store.read.bind(store);
  store.read = async (key) => {
    const record = await read(key);
    const act = before;
    before = undefined;
    // The record is read, and the change comes before it is handed out.
    await act?.();
    return record;
  };
  const stream = follow(other, { identifier, since: 1 });
  await expect.poll(() => stream.started).toBe(1);
  before = () => device.api.session.setValue.mutate({ key: "theme", value: "dark" });
  await device.api.session.setValue.mutate({ key: "note", value: "second" });
  await expect.poll(() => stream.events.at(-1)).toMatchObject({ rev: 3 });
  void app;
});

test("streams of one session that a commit wakes together read the store once", async () => {
  const readsWith = async (count: number) => {
    const inner = memoryStore();
    let reads = 0;
    const read: typeof inner.read = (key) => {
      reads++;
      return inner.read(key);
    };
    const { device, other, identifier } = await start(adapters.fetch, { store: { ...inner, read } });
    const streams = Array.from({ length: count }, () => follow(other, { identifier, since: 1 }));
    const change = async (n: number) => {
      await device.api.session.setValue.mutate({ key: "note", value: `change ${n}` });
      await expect.poll(() => streams.every(({ events }) => events.length === n)).toBe(true);
    };
    await expect.poll(() => streams.every(({ started }) => started === 1)).toBe(true);
    await change(1);
    reads = 0;
    await change(2);
    return reads;
  };
  expect(await readsWith(8)).toBe(await readsWith(1));
});
