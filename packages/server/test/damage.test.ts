import { SessionError } from "@catnap/shared";
import { describe, expect, test } from "vitest";
import { faultStore } from "../../testing/src/fault-store.ts";
import type { SessionStore } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { adapters, createApp, createBrowser } from "./app.ts";
import { codeOf, start } from "./plain.ts";
import { push } from "./pushes.ts";

// A store whose entries somebody has cut or changed: nobody's session is confused with another's, and the operator hears which it is.

async function damaged(entry: string, value: string) {
  const store = memoryStore();
  const app = createApp({ store });
  const server = await adapters.fetch(app);
  const browser = createBrowser(server.url);
  await browser.api.login.mutate({ subject: "ann" });
  const { identifier } = await browser.api.facts.query();
  const ops = [{ seq: 1, key: "note", value: '"n"', base: 0 }];
  await browser.api.session.sync.mutate(push({ identifier, ops }));
  await store.write(identifier, {
    now: Date.now(),
    accessedAt: Date.now(),
    transactions: 0,
    expect: new Map(),
    changes: new Map([[entry, { value, writer: "server", seq: 0 }]]),
  });
  const close = async () => {
    await server.close();
    await app.sessions.close();
  };
  return { ...app, store, browser, identifier, close };
}

const texts = ["", "{", "7", "null", "[]", '{"f":1}', '{"f":1,"w":{"a":"x"}}', '{"f":0,"w":{},"n":[null]}', "\u0000"];

describe("what cannot be read", () => {
  test.each(texts)("of tokens is STORE_UNUSABLE, with the session's identifier: %j", async (text) => {
    const { browser, identifier, close } = await damaged("~tokens", text);
    await expect(browser.api.facts.query()).rejects.toMatchObject({
      data: { httpStatus: 500, session: { code: "STORE_UNUSABLE", message: expect.stringContaining(identifier) } },
    });
    await close();
  });

  test.each(texts)("of watermarks fails a push alone, which is not applied twice: %j", async (text) => {
    const { browser, identifier, close } = await damaged("~sync:profile-1", text);
    const ops = [{ seq: 2, key: "note", value: '"m"', base: 0 }];
    await expect(browser.api.session.sync.mutate(push({ identifier, ops }))).rejects.toMatchObject({
      data: { session: { code: "STORE_UNUSABLE", message: expect.stringContaining(identifier) } },
    });
    expect(await browser.api.session.value.query({ key: "note" })).toBe("n");
    await close();
  });

  test.each(["", "{", "7", "null"])("of the device fails the list, which names the session: %j", async (text) => {
    const { sessions, identifier, close } = await damaged("~device", text);
    await expect(sessions.list({ subject: "ann" })).rejects.toMatchObject({
      code: "STORE_UNUSABLE",
      message: expect.stringContaining(identifier),
    });
    await close();
  });

  test.each(["", "{", "~{", "~5"])(
    "of a value fails who reads it, and a push puts another in its place: %j",
    async (text) => {
      const { browser, identifier, close } = await damaged("note", text);
      await expect(browser.api.session.value.query({ key: "note" })).rejects.toMatchObject({
        data: { session: { code: "STORE_UNUSABLE", message: expect.stringContaining(identifier) } },
      });
      await browser.api.session.sync.mutate(
        push({ identifier, ops: [{ seq: 2, key: "note", value: '"m"', base: 9 }] }),
      );
      expect(await browser.api.session.value.query({ key: "note" })).toBe("m");
      await close();
    },
  );
});

describe("a store that fails around a login's commit", () => {
  function failing(fails: (method: string, args: readonly unknown[]) => boolean): {
    inner: SessionStore;
    store: SessionStore;
  } {
    const inner = memoryStore();
    const store = faultStore(inner, ({ method, arguments: args }) =>
      fails(method, args) ? { kind: "fail-before" } : undefined,
    );
    return { inner, store };
  }

  test("and reads no more after a push that others have overtaken: the push alone is told, and the rest of its batch stands", async () => {
    let armed = false;
    const inner = memoryStore();
    const store: SessionStore = {
      ...inner,
      read: (key) => (armed ? Promise.reject(new SessionError("STORE_UNAVAILABLE", "down")) : inner.read(key)),
      write: async (key, commit) => {
        if (commit.changes.has("theme")) {
          const changes = new Map([["clicks", { value: "7", writer: "server", seq: 0 }]]);
          await inner.write(key, { ...commit, expect: new Map(), changes });
          armed = true;
        }
        return inner.write(key, commit);
      },
    };
    const app = createApp({ store });
    const server = await adapters.fetch(app);
    const browser = createBrowser(server.url, "batch");
    await browser.api.session.setValue.mutate({ key: "note", value: "n" });
    const { identifier } = await browser.api.facts.query();
    const ops = [{ seq: 1, key: "theme", value: '"dark"', base: 0 }];
    const calls = [browser.api.increment.mutate(), browser.api.session.sync.mutate(push({ identifier, ops }))];
    const [increment, sync] = await Promise.allSettled(calls);
    expect(increment).toEqual({ status: "fulfilled", value: 1 });
    expect(SessionError.from((sync as PromiseRejectedResult).reason)?.code).toBe("STORE_UNAVAILABLE");
    armed = false;
    expect(await browser.api.session.values.query()).toEqual({ note: "n", theme: "dark", visits: 1, clicks: 7 });
    await server.close();
    await app.sessions.close();
  });

  test("before it leaves the session as it was", async () => {
    let armed = false;
    const { store } = failing((method) => armed && method === "write");
    const { visitor } = start({ store, maxSessions: { perSubject: 1, whenFull: "endOldest" } });
    const { visit, state } = visitor();
    await visit((session) => session.setValue("note", "n"));
    const cookie = state.cookie;
    armed = true;
    expect(await codeOf(() => visit((session) => session.login("ann")))).toBe("STORE_UNAVAILABLE");
    armed = false;
    expect(state.cookie).toBe(cookie);
    expect(await visit((session) => [session.subject(), session.value("note")])).toEqual([null, "n"]);
  });

  test.each(["reject", "endOldest"] as const)(
    "after it leaves the login in, and the caller is told so: %s",
    async (whenFull) => {
      let armed = false;
      const { store } = failing((method) => armed && (method === "find" || method === "delete"));
      const arming: SessionStore = {
        ...store,
        write: async (key, commit) => {
          const result = await store.write(key, commit);
          armed = commit.subject !== undefined;
          return result;
        },
      };
      const { visitor, reports, sessions } = start({ store: arming, maxSessions: { perSubject: 1, whenFull } });
      const { visit } = visitor();
      await visit((session) => session.login("ann"));
      expect(await visit((session) => session.subject())).toBe("ann");
      expect(reports).toHaveLength(whenFull === "endOldest" ? 1 : 0);
      armed = false;
      expect(await sessions.list({ subject: "ann" })).toHaveLength(1);
    },
  );
});
