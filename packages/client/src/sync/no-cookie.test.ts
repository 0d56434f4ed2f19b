import { createTRPCClient, httpBatchLink } from "@trpc/client";
import { beforeEach, expect, test, vi } from "vitest";
import { memoryStore } from "../../../server/src/stores/memory/memory-store.ts";
import { optionsOf } from "../../test/linked.ts";
import { type Browser, createWorld, open, until } from "../../test/world.ts";
import { sessionLink } from "../index.ts";

const warn = vi.spyOn(console, "warn");
beforeEach(() => {
  warn.mockReset();
});

/** Its browser keeps no cookie. */
function refuseCookies({ jar }: Browser): void {
  Object.defineProperty(jar, "cookie", { get: () => "", set: () => undefined });
}

/** A world, and how many sessions its store holds. */
function counted() {
  const store = memoryStore();
  return { ...open(createWorld({ store })), records: async () => (await store.find({ limit: 100 })).items.length };
}

test("a browser that keeps no cookie is told the causes once; its changes stay, and no more sessions are made", async () => {
  const { browser, records } = counted();
  refuseCookies(browser);
  const { session, expired } = browser.tab();
  await session.awake();
  session.setValue("note", "first");
  await session.sleep();
  const identifier = session.identifier();
  for (const note of ["second", "third"]) {
    session.setValue("note", note);
    await expect(session.sleep()).rejects.toMatchObject({ code: "NO_COOKIE" });
  }
  const { problem } = session.status();
  expect(problem?.code).toBe("NO_COOKIE");
  for (const cause of ["cookie.secure", "credentials", "partitioned"]) expect(problem?.message).toContain(cause);
  expect(warn.mock.calls).toEqual([[`catnap: ${problem?.message}`]]);
  expect([session.value("note"), session.identifier(), session.status().pending]).toEqual(["third", identifier, 1]);
  expect([expired, await records()]).toEqual([[], 1]);
});

test("the next page of such a browser begins anew, once, and says why; with cookies all is well again", async () => {
  const { browser, records } = counted();
  let [cookie, keeps] = ["", false];
  Object.defineProperty(browser.jar, "cookie", {
    get: () => cookie,
    set: (text: string) => {
      if (keeps) cookie = text;
    },
  });
  const first = browser.tab();
  await first.session.awake();
  first.session.setValue("note", "first");
  await first.session.sleep();
  await until(() => first.session.status().storage === "disk");
  first.kill();
  keeps = true;
  const { session, expired } = browser.tab();
  await session.awake();
  session.setValue("theme", "dark");
  await session.sleep();
  expect(warn).toHaveBeenCalledTimes(1);
  session.setValue("note", "second");
  await session.sleep();
  expect(session.status()).toMatchObject({ state: "synced", problem: undefined });
  expect(session.values()).toEqual({ theme: "dark", note: "second" });
  expect([expired, await records()]).toEqual([[{ code: "SESSION_GONE", unsent: [] }], 2]);
});

test("a cookie that was kept once and is gone ends the session, also for the next page", async () => {
  for (const another of [false, true]) {
    const { browser } = open();
    let { session, expired, kill } = browser.tab();
    await session.awake();
    session.setValue("note", "first");
    await session.sleep();
    session.setValue("theme", "dark");
    await session.sleep();
    await until(async () => (await browser.rows()).size > 1);
    if (another) {
      kill();
      ({ session, expired, kill } = browser.tab());
    }
    browser.jar.cookie = "";
    await session.awake();
    await until(() => expired.length > 0);
    expect(expired).toMatchObject([{ code: "SESSION_GONE" }]);
    expect(session.values()).toEqual({});
    expect(warn).not.toHaveBeenCalled();
  }
});

test("a stream without the cookie wipes nothing while pushes have it", async () => {
  const { browser } = open();
  const base = browser.tab();
  class Bare {
    readonly #listeners = new Map<string, (event: MessageEvent) => void>();
    addEventListener(type: string, listener: (event: MessageEvent) => void): void {
      this.#listeners.set(type, listener);
      if (type !== "message") return;
      const data = JSON.stringify({ json: { ok: false, code: "NO_COOKIE", message: "no cookie" } });
      queueMicrotask(() => listener({ data } as MessageEvent));
    }
    close(): void {}
  }
  const { session, expired } = browser.tab({ live: true, http: { ...optionsOf(base), EventSource: Bare } });
  session.setValue("note", "kept");
  await session.awake();
  await session.sleep();
  await until(() => warn.mock.calls.length > 0);
  await session.sleep();
  expect([session.value("note"), expired]).toEqual(["kept", []]);
});

test("without cookies a mutation goes on without the changes, and invalidate ends what the browser has", async () => {
  const { world, browser } = open();
  refuseCookies(browser);
  const tab = browser.tab();
  const { session } = tab;
  await session.awake();
  session.setValue("note", "first");
  await session.sleep();
  session.setValue("note", "second");
  const api = createTRPCClient<typeof world.router>({ links: [sessionLink(session), httpBatchLink(optionsOf(tab))] });
  expect(await api.plain.mutate()).toBe("done");
  expect(session.value("note")).toBe("second");
  await session.invalidate();
  expect([session.values(), session.status().pending]).toEqual([{}, 0]);
});
