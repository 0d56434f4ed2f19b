import { SessionError } from "@catnap/shared";
import { afterEach, describe, expect, test } from "vitest";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { adapters, createApp, createBrowser, type Server } from "./app.ts";

let server: Server | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
});

/** Counts what a store is asked. */
function countingStore() {
  const store = memoryStore();
  const calls = { read: 0, write: 0 };
  return {
    calls,
    store: {
      ...store,
      read: (key: string) => {
        calls.read++;
        return store.read(key);
      },
      write: (...args: Parameters<typeof store.write>) => {
        calls.write++;
        return store.write(...args);
      },
    },
  };
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "resolved",
    (error: unknown) => SessionError.from(error)?.code ?? String(error),
  );

for (const [name, mount] of Object.entries(adapters)) {
  describe(`over tRPC's ${name} adapter`, () => {
    const start = async (options: Parameters<typeof createApp>[0] = {}) => {
      const app = createApp(options);
      server = await mount(app);
      return { app, url: server.url };
    };

    for (const link of ["single", "batch"] as const) {
      test(`a value set over a ${link} link is read back, under one cookie`, async () => {
        const { url } = await start();
        const { api, seen } = createBrowser(url, link);
        await api.session.setValue.mutate({ key: "theme", value: "dark" });
        expect(await api.session.value.query({ key: "theme" })).toBe("dark");
        expect(await api.theme.query()).toBe("dark");
        expect(seen.flatMap(({ setCookie }) => setCookie)).toHaveLength(1);
        expect(seen[0]?.setCookie[0]).toMatch(/^sid=[\w-]{22,}\.[\w-]{43}; .*HttpOnly; Secure; SameSite=Lax$/);
      });
    }

    test("a stream gives a new visitor the cookie at its head, and commits the write", async () => {
      const { url } = await start();
      const { api } = createBrowser(url, "stream");
      await api.session.setValue.mutate({ key: "note", value: "streamed" });
      expect(await api.session.value.query({ key: "note" })).toBe("streamed");
    });

    test("what a stream cannot do fails with HEADERS_SENT and leaves no trace", async () => {
      const { url } = await start();
      const { api } = createBrowser(url, "stream");
      await api.session.setValue.mutate({ key: "note", value: "kept" });
      expect(await codeOf(api.rotate.mutate({}))).toBe("HEADERS_SENT");
      expect(await codeOf(api.login.mutate({ subject: "ann" }))).toBe("HEADERS_SENT");
      expect(await codeOf(api.logout.mutate({}))).toBe("HEADERS_SENT");
      expect(await api.session.values.query()).toEqual({ note: "kept" });
    });

    test("reading costs no record and no cookie", async () => {
      const { store, calls } = countingStore();
      const { url } = await start({ store });
      const { api, seen } = createBrowser(url);
      expect(await api.theme.query()).toBe("light");
      expect(await api.session.values.query()).toEqual({});
      expect(calls).toEqual({ read: 0, write: 0 });
      expect(seen.every(({ setCookie }) => setCookie.length === 0)).toBe(true);
    });

    test("a batch is one read and one commit, and loses no update", async () => {
      const { store, calls } = countingStore();
      const { url } = await start({ store });
      const { api } = createBrowser(url, "batch");
      await api.increment.mutate();
      calls.read = calls.write = 0;
      await Promise.all([
        api.increment.mutate(),
        api.increment.mutate(),
        api.session.setValue.mutate({ key: "note", value: "n" }),
      ]);
      expect(calls).toEqual({ read: 1, write: 1 });
      expect(await api.session.values.query()).toEqual({ visits: 3, note: "n" });
    });

    test("a procedure that throws changes nothing, and its siblings' changes are kept", async () => {
      const { url } = await start();
      const { api } = createBrowser(url, "batch");
      const [thrown, kept] = await Promise.allSettled([api.setThenThrow.mutate(), api.increment.mutate()]);
      expect([thrown.status, kept.status]).toEqual(["rejected", "fulfilled"]);
      expect(await api.session.values.query()).toEqual({ visits: 1 });
    });

    test("procedures called through createCaller join their caller's session and do not wait", async () => {
      const { url } = await start();
      for (const link of ["single", "batch"] as const) {
        const { api } = createBrowser(url, link);
        const [visits] = await Promise.all([
          api.nested.mutate(),
          api.session.setValue.mutate({ key: "note", value: "n" }),
        ]);
        expect(visits).toBe(2);
      }
    });

    test("dates travel unharmed", async () => {
      const { url } = await start();
      const { api } = createBrowser(url);
      await api.session.setValue.mutate({ key: "seen", value: new Date(5) });
      expect(await api.session.value.query({ key: "seen" })).toEqual(new Date(5));
    });

    test("login rotates the token, keeps identifier and values, and keeps the secret", async () => {
      const { url } = await start();
      const { api, jar, seen } = createBrowser(url);
      await api.session.setValue.mutate({ key: "note", value: "before" });
      const [token, before] = [jar.get("sid"), await api.facts.query()];
      await api.login.mutate({ subject: "ann" });
      const after = await api.facts.query();
      expect(jar.get("sid")).not.toBe(token);
      expect(after).toMatchObject({ identifier: before.identifier, subject: "ann" });
      expect(await api.session.values.query()).toEqual({ note: "before", user: { id: "ann", name: "ann" } });
      expect(await codeOf(api.login.mutate({ subject: "bob" }))).toBe("SUBJECT_MISMATCH");
      for (const { body } of seen) {
        expect(body).not.toContain("canary-secret");
        expect(body).not.toContain(token?.split(".")[1]);
      }
    });

    test("a foreign form that runs a mutation without input is refused", async () => {
      const { url } = await start();
      const { api, send } = createBrowser(url);
      await api.session.setValue.mutate({ key: "note", value: "mine" });
      const form = new FormData();
      form.set("x", "1");
      for (const headers of [
        { "sec-fetch-site": "cross-site" },
        { "sec-fetch-site": "same-site" },
        { origin: "https://evil.example" },
      ]) {
        const response = await send(`${url}/bareForm`, { method: "POST", body: form, headers });
        expect(response.status).toBe(403);
      }
      expect(await api.session.value.query({ key: "note" })).toBe("mine");
      const own = await send(`${url}/bareForm`, {
        method: "POST",
        body: form,
        headers: { "sec-fetch-site": "same-origin" },
      });
      expect(own.status).toBe(200);
    });

    test("bad input gets a SessionError and changes nothing", async () => {
      const { url } = await start();
      const { api, send } = createBrowser(url);
      await api.session.setValue.mutate({ key: "theme", value: "dark" });
      const raw = async (path: string, input: unknown) => {
        const body = typeof input === "string" ? input : JSON.stringify({ json: input });
        const response = await send(`${url}/session.${path}`, {
          method: "POST",
          body,
          headers: { "content-type": "application/json" },
        });
        const answer = (await response.json()) as { error?: { json: { data: { session: { code: string } | null } } } };
        return [response.status, answer.error?.json.data.session?.code];
      };
      expect(await raw("setValue", { key: "theme", value: "blue" })).toEqual([400, "INVALID_VALUE"]);
      expect(await raw("setValue", { key: "nope", value: 1 })).toEqual([400, "UNKNOWN_KEY"]);
      expect(await raw("setValue", { key: "__proto__", value: 1 })).toEqual([400, "UNKNOWN_KEY"]);
      expect(await raw("setValue", { key: "constructor", value: 1 })).toEqual([400, "UNKNOWN_KEY"]);
      expect(await raw("setValue", { key: "user", value: { id: "1", name: "x" } })).toEqual([403, "FORBIDDEN_KEY"]);
      expect(await raw("setValue", { key: "csrfSeed", value: "x" })).toEqual([403, "FORBIDDEN_KEY"]);
      expect(await raw("delValue", { key: "note" })).toEqual([404, "NO_SUCH_VALUE"]);
      expect(await raw("setValue", { key: "note", value: "x".repeat(5_000_000) })).toEqual([413, "LIMIT_EXCEEDED"]);
      expect(await raw("setValue", null)).toEqual([400, "UNKNOWN_KEY"]);
      expect(await raw("sync", null)).toEqual([400, "BAD_PUSH"]);
      expect((await raw("sync", "not json"))[0]).toBe(400);
      expect(await raw("invalidate", {})).toEqual([400, "BAD_PUSH"]);
      for (const seconds of [-1, Number.NaN])
        expect(await codeOf(api.shorten.mutate({ seconds }))).toMatch(/INVALID_TIMEOUT|BAD_REQUEST|expected number/s);
      expect(await api.session.values.query()).toEqual({ theme: "dark" });
    });

    test("cookies that Catnap never issued are ignored, never adopted", async () => {
      const { url } = await start();
      const forged = `${"A".repeat(22)}.${"B".repeat(43)}`;
      const good = createBrowser(url);
      await good.api.session.setValue.mutate({ key: "note", value: "mine" });
      const token = good.jar.get("sid") ?? "";
      const tampered = `${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`;
      for (const content of ["", "x", "%00", "x".repeat(50_000), forged, tampered, `${token}; sid=${forged}`]) {
        if (content.length > 16_000) continue; // Node itself answers 431 to those
        const { api, jar } = createBrowser(url);
        jar.set("sid", content);
        expect(await api.previous.query()).toBe(content === "" ? "unknown" : "unknown");
        expect(await api.session.values.query()).toEqual({});
        await api.session.setValue.mutate({ key: "note", value: "other" });
        expect(jar.get("sid")).not.toBe(content);
      }
      expect(await good.api.session.value.query({ key: "note" })).toBe("mine");
    });

    test("an expired session is over: its values are not read, its cookie is told apart, a write starts a new one", async () => {
      const clock = { now: 1_000_000 };
      const { url } = await start({ clock: () => clock.now, timeout: 100 });
      const { api } = createBrowser(url);
      await api.session.setValue.mutate({ key: "note", value: "old" });
      const { identifier } = await api.facts.query();
      clock.now += 99_000;
      expect(await api.session.value.query({ key: "note" })).toBe("old");
      clock.now += 100_000;
      expect(await api.previous.query()).toBe("expired");
      expect(await api.session.values.query()).toEqual({});
      await api.session.setValue.mutate({ key: "note", value: "new" });
      const fresh = await api.facts.query();
      expect(fresh.identifier).not.toBe(identifier);
      expect(await api.previous.query()).toBe("none");
    });
  });
}
