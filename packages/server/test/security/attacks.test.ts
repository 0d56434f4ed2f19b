import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { sqliteStore } from "../../src/stores/sqlite/sqlite-store.ts";
import { adapters, createApp, createBrowser, gate } from "../app.ts";
import { push } from "../pushes.ts";
import { onEveryAdapter, outcome, secretOf } from "./stage.ts";

// What an attacker would try. Races with slow handlers (a write, a read or a rotation in flight against a logout or a
// revocation) are played in races.test.ts, forms and beacons of foreign pages in cross-site.test.ts.

onEveryAdapter("an attacker", (start) => {
  test("fixes a session: a token that the server did not issue is never adopted", async () => {
    const { browser, store } = await start();
    const forged = `${"A".repeat(22)}.${"B".repeat(43)}`;
    const victim = browser();
    victim.jar.set("sid", forged);
    await victim.api.login.mutate({ subject: "ann" });
    expect(victim.jar.get("sid")).not.toContain("A".repeat(22));
    const attacker = browser();
    attacker.jar.set("sid", forged);
    expect((await attacker.api.facts.query()).subject).toBeNull();
    expect(await store.read("A".repeat(22))).toBeNull();
  });

  test("fixes a session with a token of their own: the victim's login rotates it, and theirs ends with the grace", async () => {
    const { browser, copyOf, clock } = await start();
    const attacker = browser();
    await attacker.api.increment.mutate();
    const victim = copyOf(attacker);
    await victim.api.login.mutate({ subject: "ann" });
    expect(secretOf(victim)).not.toBe(secretOf(attacker));
    await victim.api.facts.query();
    clock.advance(60);
    expect((await attacker.api.facts.query()).subject).toBeNull();
    expect(attacker.seen.at(-1)?.setCookie).toEqual([]);
  });

  test("with grace 0 such a token ends at the login itself", async () => {
    const { browser, copyOf } = await start({ grace: 0 });
    const attacker = browser();
    await attacker.api.increment.mutate();
    const victim = copyOf(attacker);
    await victim.api.login.mutate({ subject: "ann" });
    expect((await attacker.api.facts.query()).subject).toBeNull();
  });

  test("swaps sessions: a push for one session, under the cookie of another, is not applied", async () => {
    const { loggedIn } = await start();
    const [ann, eve] = [await loggedIn("ann"), await loggedIn("eve")];
    const { identifier } = await ann.api.facts.query();
    const ops = [{ seq: 1, key: "note", value: '"planted"', base: 0 }];
    expect(await eve.api.session.sync.mutate(push({ identifier, ops }))).toMatchObject({
      ok: false,
      code: "SESSION_REPLACED",
    });
    expect(await eve.api.session.values.query()).not.toHaveProperty("note");
    expect(await ann.api.session.values.query()).not.toHaveProperty("note");
    await eve.api.session.invalidate.mutate({ identifier });
    expect((await ann.api.facts.query()).subject).toBe("ann");
    expect((await eve.api.facts.query()).subject).toBe("eve");
  });

  test("takes a session over: a session of one subject never becomes another's", async () => {
    const { loggedIn } = await start();
    const ann = await loggedIn("ann");
    expect(await outcome(ann.api.login.mutate({ subject: "eve" }))).toBe("SUBJECT_MISMATCH");
    expect((await ann.api.facts.query()).subject).toBe("ann");
  });

  test("replays a token that was rotated: within the grace it gets no newer one, after it nothing", async () => {
    const { loggedIn, copyOf, clock, reports } = await start();
    const ann = await loggedIn();
    const thief = copyOf(ann);
    await ann.api.rotate.mutate({});
    await ann.api.facts.query();
    await thief.api.increment.mutate();
    expect(await outcome(thief.api.rotate.mutate({}))).toBe("TOKEN_ROTATED");
    expect(await outcome(thief.api.login.mutate({ subject: "ann" }))).toBe("TOKEN_ROTATED");
    expect(await outcome(thief.api.pay.mutate({}))).toBe("NOT_FRESH");
    expect(thief.seen.flatMap(({ setCookie }) => setCookie)).toEqual([]);
    clock.advance(60);
    expect((await thief.api.facts.query()).subject).toBeNull();
    expect(reports).toMatchObject([{ kind: "reuse" }]);
  });

  test("replays a token that was logged out: it opens nothing, and revives nothing", async () => {
    const { loggedIn, copyOf, sessions } = await start();
    const ann = await loggedIn();
    const thief = copyOf(ann);
    const { identifier } = await ann.api.facts.query();
    await ann.api.logout.mutate({});
    const ops = [{ seq: 1, key: "note", value: '"late"', base: 0 }];
    expect(await thief.api.session.sync.mutate(push({ identifier, ops }))).toMatchObject({ code: "SESSION_GONE" });
    expect((await thief.api.facts.query()).subject).toBeNull();
    expect(await sessions.list({ subject: "ann" })).toEqual([]);
  });

  test("tosses a cookie from a sub-domain: two tokens are none, and nobody works in the attacker's session", async () => {
    const { loggedIn, url } = await start();
    const [ann, eve] = [await loggedIn("ann"), await loggedIn("eve")];
    const planted = `sid=${eve.jar.get("sid")}; sid=${ann.jar.get("sid")}`;
    const body = JSON.stringify({ json: { key: "note", value: "private" } });
    const headers = { "content-type": "application/json", cookie: planted };
    await fetch(`${url}/session.setValue`, { method: "POST", body, headers });
    expect(await eve.api.session.values.query()).not.toHaveProperty("note");
    expect(await ann.api.session.values.query()).not.toHaveProperty("note");
  });

  test("names keys that are not theirs, through every procedure", async () => {
    const { loggedIn, store } = await start();
    const ann = await loggedIn();
    const { identifier } = await ann.api.facts.query();
    const before = (await store.read(identifier))?.entries;
    for (const key of ["user", "csrfSeed"] as const) {
      const value = { id: "root", name: "root" };
      expect(await outcome(ann.api.session.setValue.mutate({ key, value } as never))).toBe("FORBIDDEN_KEY");
      expect(await outcome(ann.api.session.delValue.mutate({ key } as never))).toBe("FORBIDDEN_KEY");
      for (const encoded of [JSON.stringify(value), null]) {
        const ops = [{ seq: 1, key, value: encoded, base: 0 }];
        const profile = `profile-${key}-${encoded === null}`;
        expect(await ann.api.session.sync.mutate(push({ identifier, profile, ops }))).toMatchObject({
          notes: [{ key, what: "rejected", code: "FORBIDDEN_KEY" }],
        });
      }
      const after = (await store.read(identifier))?.entries;
      expect(after?.get(key)).toEqual(before?.get(key));
    }
    expect(await outcome(ann.api.session.value.query({ key: "csrfSeed" } as never))).toBe("FORBIDDEN_KEY");
  });

  test("names a writer like a property that every object has: it is refused, not acknowledged", async () => {
    const { loggedIn } = await start();
    const ann = await loggedIn();
    const { identifier } = await ann.api.facts.query();
    for (const writer of ["__proto__", "constructor", "prototype"]) {
      for (const name of [{ writer }, { profile: writer }]) {
        const ops = [{ seq: 1, key: "note", value: '"n"', base: 0 }];
        expect(await outcome(ann.api.session.sync.mutate(push({ identifier, ...name, ops })))).toBe("BAD_PUSH");
      }
    }
    // Others are names like any other.
    const ops = [{ seq: 5, key: "note", value: '"n"', base: 0 }];
    const answer = await ann.api.session.sync.mutate(push({ identifier, writer: "hasOwnProperty", ops }));
    expect(answer).toMatchObject({ ok: true, acked: 5, decided: { hasOwnProperty: 5 } });
    expect(await ann.api.session.sync.mutate(push({ identifier, writer: "hasOwnProperty", ops }))).toMatchObject({
      acked: 5,
    });
  });

  test("replays a browser's first push after its logout, without the cookie: it begins nothing anew", async () => {
    const { browser, store } = await start();
    const ann = browser();
    const first = push({ nonce: "n".repeat(43), ops: [{ seq: 1, key: "note", value: '"hers"', base: 0 }] });
    await ann.api.session.sync.mutate(first);
    const { identifier } = await ann.api.facts.query();
    await ann.api.logout.mutate({});
    const replayed = browser();
    expect(await replayed.api.session.sync.mutate(first)).toMatchObject({ ok: false, code: "SESSION_GONE" });
    expect(replayed.jar.size).toBe(0);
    expect(await store.read(identifier)).toBeNull();
  });

  test("leaves little beside the values: notes and watermarks have bounds of their own", async () => {
    const { loggedIn, store } = await start();
    const ann = await loggedIn();
    const { identifier } = await ann.api.facts.query();
    const dirt = "€".repeat(1_000);
    for (let i = 0; i < 24; i++) {
      const ops = Array.from({ length: 20 }, (_, j) => ({
        seq: j + 1,
        key: j % 2 ? "theme" : `k${"x".repeat(60)}`,
        value: JSON.stringify(dirt),
        base: 0,
      }));
      for (let j = 0; j < 3; j++) {
        const names = { profile: `profile-${i}`.padEnd(64, "x"), writer: `writer-${j}`.padEnd(64, "x") };
        await ann.api.session.sync.mutate(push({ identifier, ...names, ops }));
      }
    }
    let bytes = 0;
    for (const [name, { value }] of (await store.read(identifier))?.entries ?? []) {
      if (name.startsWith("~")) bytes += Buffer.byteLength(name) + Buffer.byteLength(value ?? "");
    }
    expect(bytes).toBeLessThan(180_000);
  });

  test("guesses a token: what the store is asked tells nothing of how much is right", async () => {
    const store = memoryStore();
    const asked: string[] = [];
    const { loggedIn, browser } = await start({
      store: {
        ...store,
        read: (key) => {
          asked.push(key);
          return store.read(key);
        },
      },
    });
    const ann = await loggedIn();
    const { identifier } = await ann.api.facts.query();
    const secret = secretOf(ann);
    const last = secret.endsWith("A") ? "B" : "A";
    asked.length = 0;
    for (const guess of [`${"z".repeat(43)}`, `${secret.slice(0, 42)}${last}`]) {
      const attacker = browser();
      attacker.jar.set("sid", `${identifier}.${guess}`);
      expect((await attacker.api.facts.query()).subject).toBeNull();
    }
    // One read each, by the public name: the secret is compared by its hash, in constant time.
    expect(asked).toEqual([identifier, identifier]);
  });

  test("sends what no server issued: it is not even looked up", async () => {
    const store = memoryStore();
    let reads = 0;
    const read = (key: string) => {
      reads++;
      return store.read(key);
    };
    const { browser } = await start({ store: { ...store, read } });
    for (const content of [
      "",
      "x",
      "a.b",
      `${"a".repeat(22)}.${"b".repeat(44)}`,
      `${"a".repeat(81)}.${"b".repeat(43)}`,
      `${"a".repeat(21)}/.${"b".repeat(43)}`,
      "x".repeat(4_000),
    ]) {
      const attacker = browser();
      attacker.jar.set("sid", content);
      expect(await attacker.api.previous.query()).toBe("unknown");
    }
    expect(reads).toBe(0);
  });

  test("reads the store: what rests there lets nobody in", async () => {
    const { loggedIn, browser, store } = await start({ tickets: true });
    const ann = await loggedIn();
    const { identifier } = await ann.api.facts.query();
    const resting = JSON.stringify([...((await store.read(identifier))?.entries ?? [])]);
    expect(resting).not.toContain(secretOf(ann));
    for (const stolen of resting.match(/[\w-]{43}/g) ?? []) {
      const attacker = browser();
      attacker.jar.set("sid", `${identifier}.${stolen}`);
      expect((await attacker.api.facts.query()).subject).toBeNull();
    }
  });

  test("goes on in a session that was revoked while their request was under way: nothing is written, no cookie comes", async () => {
    const { open, opened } = gate();
    const store = memoryStore();
    let reads = 0;
    const read = (key: string) => {
      reads++;
      return store.read(key);
    };
    const { loggedIn, copyOf, sessions } = await start({ gates: { slow: opened }, store: { ...store, read } });
    const ann = await loggedIn();
    const { identifier } = await ann.api.facts.query();
    const late = copyOf(ann);
    reads = 0;
    const writing = outcome(late.api.slowNote.mutate({ note: "late", gate: "slow" }));
    const reading = late.api.slowRead.query({ gate: "slow" });
    await expect.poll(() => reads, { interval: 1 }).toBe(2); // both have the session in hand
    await sessions.revokeAll({ subject: "ann" });
    open();
    expect(await writing).toBe("SESSION_GONE");
    expect(await reading).toBeNull();
    expect(await store.read(identifier)).toBeNull();
    expect(late.seen.flatMap(({ setCookie }) => setCookie)).toEqual([]);
  });
});

describe("a session that is revoked in one process", () => {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  test("is refused by every other, at its next request, and its live stream ends", async () => {
    const folder = mkdtempSync(join(tmpdir(), "catnap-security-"));
    folders.push(folder);
    const file = join(folder, "sessions.db");
    const [here, there] = [createApp({ store: sqliteStore(file) }), createApp({ store: sqliteStore(file) })];
    const servers = [await adapters.fetch(here), await adapters.fetch(there)];
    try {
      const visitor = createBrowser(servers[0]?.url ?? "");
      await visitor.api.login.mutate({ subject: "ann" });
      const elsewhere = createBrowser(servers[1]?.url ?? "");
      for (const [name, content] of visitor.jar) elsewhere.jar.set(name, content);
      const { identifier, subject } = await elsewhere.api.facts.query();
      expect(subject).toBe("ann");
      const ended = new Promise<unknown>((resolve) => {
        const input = { identifier, profile: "profile-1", writer: "writer-1", since: 0 };
        elsewhere.api.session.changes.subscribe(input, {
          onData: ({ data }) => void (data.ok || resolve(data.code)),
          onStarted: () => void here.sessions.revoke(identifier),
        });
      });
      expect(await ended).toBe("SESSION_GONE");
      expect((await elsewhere.api.facts.query()).subject).toBeNull();
    } finally {
      await Promise.all([here.sessions.close(), there.sessions.close()]);
      for (const server of servers) await server.close();
    }
  });
});
