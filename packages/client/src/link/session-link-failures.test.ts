import { protocol } from "@catnap/shared";
import { createTRPCClient, httpBatchLink, httpBatchStreamLink, httpLink, splitLink, type TRPCLink } from "@trpc/client";
import { observable } from "@trpc/server/observable";
import { expect, onTestFinished, test, vi } from "vitest";
import { type AppRouter, type Ending, line, openShop, optionsOf } from "../../test/linked.ts";
import { type Browser, open, until } from "../../test/world.ts";
import { sessionLink } from "../index.ts";

/** What is thrown at nobody while `run` does. */
async function uncaught(run: () => Promise<void>): Promise<unknown[]> {
  const reports: unknown[] = [];
  const listen = (error: unknown) => reports.push(error);
  const others = process.listeners("uncaughtException");
  for (const other of others) process.off("uncaughtException", other);
  process.on("uncaughtException", listen);
  try {
    await run();
    await new Promise(setImmediate);
  } finally {
    process.off("uncaughtException", listen);
    for (const other of others) process.on("uncaughtException", other);
  }
  return reports;
}

test("a call that a splitLink behind it sends another way is reported, and waits for the push from then on", async () => {
  const { world, tab, session, asked } = await openShop();
  const options = optionsOf(tab);
  const api = createTRPCClient<AppRouter>({
    links: [
      sessionLink(session),
      splitLink({
        condition: ({ path }) => path === "note",
        true: httpLink(options),
        false: httpBatchLink(options),
      }),
    ],
  });
  const reports = await uncaught(async () => {
    session.setValue("note", "a");
    await api.note.mutate();
  });
  expect(reports).toMatchObject([{ code: "INVALID_OPTION", message: expect.stringContaining("each branch") }]);
  world.requests.length = 0;
  session.setValue("note", "b");
  expect(await api.note.mutate()).toBe("b");
  expect(asked()).toEqual(["session.sync", "note"]);
});

test("a call behind a link without HTTP, which sends both by and by, is reported, and waits for the push from then on", async () => {
  const { world, tab, session, asked } = await openShop();
  const http = httpLink<AppRouter>(optionsOf(tab))({});
  const socket: TRPCLink<AppRouter> = () => (call) =>
    observable((observer) => {
      setImmediate(() =>
        http(call).subscribe({
          ...observer,
          next: ({ result }) => observer.next({ result }),
        }),
      );
    });
  const api = createTRPCClient<AppRouter>({ links: [sessionLink(session), socket] });
  const reports = await uncaught(async () => {
    session.setValue("note", "a");
    await api.note.mutate();
  });
  expect(reports).toMatchObject([{ message: expect.stringContaining("over HTTP") }]);
  world.requests.length = 0;
  session.setValue("note", "b");
  expect(await api.note.mutate()).toBe("b");
  // What a mutation has changed nobody tells here, so that each is followed by a question.
  expect(asked()).toEqual(["session.sync", "note", "session.sync"]);
});

test("calls that no longer fit into the batch of their push are reported", async () => {
  const { tab, session, asked } = await openShop();
  const api = createTRPCClient<AppRouter>({
    links: [sessionLink(session), httpBatchLink({ ...optionsOf(tab), maxItems: 2 })],
  });
  const reports = await uncaught(async () => {
    session.setValue("note", "a");
    await Promise.all([api.note.mutate(), api.count.mutate()]);
  });
  expect(asked().slice(0, 2)).toEqual(["session.sync,note", "count"]);
  expect(reports).toMatchObject([{ message: expect.stringMatching(/"count" left without.*maxItems/) }]);
});

test.each<[string, NonNullable<Parameters<Browser["tab"]>[0]>]>([
  ["at another path", { path: "sesion" }],
  ["with another transformer", { http: { url: "https://shop.test/trpc" } }],
])(
  "a session that asks %s than the server's is no mutation's companion: the mutation fails, and did not run",
  async (_, wrong) => {
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    onTestFinished(() => warn.mockRestore());
    const { world, browser } = open();
    const good = browser.tab();
    const { session } = browser.tab({ ...wrong, ...(wrong.http && { http: { ...wrong.http, fetch: good.fetch } }) });
    await session.awake();
    session.setValue("cart", [line]);
    const api = createTRPCClient<AppRouter>({ links: [sessionLink(session), httpBatchLink(optionsOf(good))] });
    for (const _again of [1, 2]) await expect(api.checkout.mutate()).rejects.toThrow(/answered/);
    expect(world.requests.filter(({ path }) => path.includes("checkout"))).toEqual([]);
    expect(session.status()).toMatchObject({ pending: 1, problem: { code: "UNREACHABLE" } });
  },
);

test("a batch that gets lost fails the mutation and keeps the changes, which go home later", async () => {
  const { world, session, api, browser, asked } = await openShop();
  world.fate = (path) => (path.includes("checkout") ? "lost" : "ok");
  session.setValue("cart", [line]);
  await expect(api.checkout.mutate()).rejects.toMatchObject({ name: "TRPCClientError", message: "Failed to fetch" });
  expect(session.status()).toMatchObject({ state: "offline", pending: 1 });
  expect(session.value("cart")).toEqual([line]);
  await until(() => session.status().pending === 0);
  expect((await browser.server()).entries.cart?.value).toBe(JSON.stringify([line]));
  expect(asked()).toEqual(["session.sync,checkout", "session.sync"]);
});

test("a batch whose answer gets lost counts its changes once", async () => {
  const { world, session, api, browser } = await openShop();
  session.update("visits", (n) => n + 1);
  world.fate = (path) => (path.includes("note") ? "answer lost" : "ok");
  await expect(api.note.mutate()).rejects.toThrow("Failed to fetch");
  await until(() => session.status().pending === 0);
  expect((await browser.server()).entries.visits?.value).toBe("1");
  expect(session.value("visits")).toBe(1);
});

test("a push that fails before its mutation fails the mutation, which does not run", async () => {
  const { world, session, api, asked } = await openShop({ link: httpLink });
  world.fate = () => "lost";
  session.setValue("note", "n");
  await expect(api.note.mutate()).rejects.toMatchObject({ name: "TRPCClientError", message: "Failed to fetch" });
  expect(asked()).toEqual(["session.sync"]);
});

test("a page of another protocol cannot send its changes, so its mutation fails with that, and does not run", async () => {
  for (const link of [httpBatchLink, httpBatchStreamLink, httpLink] satisfies Ending[]) {
    const { session, tab, browser } = await openShop();
    const fetch: typeof tab.fetch = (input, init) =>
      tab.fetch(input, { ...init, body: String(init?.body).replace(`"protocol":${protocol}`, '"protocol":3') });
    const api = createTRPCClient<AppRouter>({ links: [sessionLink(session), link(optionsOf({ fetch }))] });
    session.setValue("cart", [line]);
    await expect(api.clear.mutate()).rejects.toThrow("reload the page");
    expect((await browser.server()).entries.theme?.value).toBe('"dark"');
    expect(session.status().pending).toBe(1);
  }
});

test("a failing mutation leaves the changes that came with it at home", async () => {
  const { session, api, browser, asked } = await openShop();
  session.setValue("cart", [line]);
  await expect(api.refuse.mutate()).rejects.toThrow("refused 1");
  expect(session.status().pending).toBe(0);
  expect((await browser.server()).entries).toMatchObject({ cart: { value: JSON.stringify([line]) } });
  expect((await browser.server()).entries.note).toBeUndefined();
  expect(asked()).toEqual(["session.sync,refuse"]);
});

test("a mutation that cannot be committed takes the push with it, which goes again alone", async () => {
  const { session, api, browser } = await openShop();
  session.setValue("note", "n");
  await expect(api.overfill.mutate()).rejects.toThrow("limits.sessionBytes");
  await until(() => session.status().pending === 0);
  expect((await browser.server()).entries.note?.value).toBe('"n"');
});

test("an offline mutation that follows no write fails as it would without the link", async () => {
  const { world, api, asked, session } = await openShop();
  world.fate = () => "lost";
  await expect(api.note.mutate()).rejects.toMatchObject({ name: "TRPCClientError", message: "Failed to fetch" });
  expect(asked()).toEqual(["note"]);
  expect(session.status().state).toBe("synced");
});

test("a mutation goes on when its session has ended, and the tab is told", async () => {
  for (const link of [httpBatchLink, httpLink]) {
    const { world, session, tab, api } = await openShop({ link });
    await world.sessions.revoke(session.identifier() ?? "");
    session.setValue("note", "n");
    expect(await api.note.mutate()).toBe(null);
    expect(tab.expired).toMatchObject([{ unsent: [{ key: "note", value: "n" }] }]);
    expect(session.hasValue("note")).toBe(false);
  }
});

test("a procedure that ends the session ends it in the tab", async () => {
  const { session, api, tab } = await openShop();
  await api.logout.mutate();
  expect(session.hasValue("theme")).toBe(false);
  expect(session.toJSON().identifier).toBe(null);
  expect(tab.expired).toMatchObject([{ code: "SESSION_GONE", unsent: [] }]);
});

test("a login to a new session shows it in the tab, with what was written just before to what is kept", async () => {
  const { session, api, asked } = await openShop();
  session.setValue("cart", [line]);
  const begun = await api.relogin.mutate();
  expect(session.toJSON().identifier).toBe(begun);
  expect(session.value("cart")).toEqual([line]);
  expect(session.hasValue("theme")).toBe(false);
  expect(session.status()).toMatchObject({ state: "synced", pending: 0 });
  expect(asked()).toEqual(["session.sync,relogin", "session.sync"]);
});

test("an answer that fails shows that the session has ended", async () => {
  const { world, session, api } = await openShop();
  await world.sessions.revoke(session.identifier() ?? "");
  await expect(api.refuse.mutate()).rejects.toThrow("refused 0");
  expect(session.toJSON().identifier).toBe(null);
});

test("news that hang hold no answer up for longer than five seconds", async () => {
  const { world, session, api, asked } = await openShop({ link: httpLink });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  let release: (() => void) | undefined;
  world.fate = (path) => {
    if (path === "session.sync") release = world.hold();
    return "ok";
  };
  let answered = false;
  const answer = api.pin.mutate("1").then(() => {
    answered = true;
  });
  while (asked().length < 2) await new Promise(setImmediate);
  vi.advanceTimersByTime(4_999);
  await new Promise(setImmediate);
  expect(answered).toBe(false);
  vi.advanceTimersByTime(1);
  await answer;
  expect(session.hasValue("pin")).toBe(false);
  release?.();
  while (!session.hasValue("pin")) await new Promise(setImmediate);
});

test("a mutation that is aborted while it waits is never sent", async () => {
  const { world, session, api, asked } = await openShop();
  const release = world.hold();
  session.setValue("note", "a");
  const sleeping = session.sleep();
  await until(() => world.requests.length === 1);
  const abort = new AbortController();
  const seen = api.note.mutate(undefined, { signal: abort.signal });
  abort.abort();
  await expect(seen).rejects.toMatchObject({ name: "TRPCClientError" });
  release();
  await sleeping;
  expect(asked()).toEqual(["session.sync"]);
});
