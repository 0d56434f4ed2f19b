import { type ChangesEvent, SessionError } from "@catnap/shared";
import { afterEach, describe, expect, test } from "vitest";
import { adapters, createApp, createBrowser, gate } from "./app.ts";
import { push } from "./pushes.ts";

// A login that replaces the session, over tRPC: beside other calls, after a push, and under open streams.

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const outcome = (promise: Promise<unknown>) =>
  promise.then(
    () => "ok",
    (error: unknown) => SessionError.from(error)?.code ?? String(error),
  );

const cart = [{ sku: "a", count: 1 }];

/** A browser of Ann's with a cart. */
async function anns(link: "single" | "batch" | "stream") {
  const app = createApp();
  const server = await adapters.fetch(app);
  cleanups.push(() => app.sessions.close());
  cleanups.push(() => server.close());
  const single = createBrowser(server.url);
  await single.api.login.mutate({ subject: "ann" });
  await single.api.session.setValue.mutate({ key: "cart", value: cart });
  const { identifier } = await single.api.facts.query();
  const browser = link === "single" ? single : createBrowser(server.url, link);
  for (const [name, content] of single.jar) browser.jar.set(name, content);
  return { ...app, server, browser, api: browser.api, identifier };
}

describe("a login that replaces the session", () => {
  test("takes along what its own batch has pushed of what is kept, and tells the tab that its session is another", async () => {
    const { api, identifier } = await anns("batch");
    const value = JSON.stringify([...cart, { sku: "b", count: 2 }]);
    const ops = [
      { seq: 1, key: "cart", value, base: 9, from: JSON.stringify(cart) },
      { seq: 2, key: "note", value: '"of Ann"', base: 0 },
    ];
    const [answer, begun] = await Promise.all([
      api.session.sync.mutate(push({ identifier, ops })),
      api.relogin.mutate({ subject: "bob" }),
    ]);
    expect(answer).toMatchObject({ ok: false, code: "SESSION_REPLACED" });
    expect(await api.facts.query()).toMatchObject({ identifier: begun, subject: "bob" });
    expect(await api.session.values.query()).toEqual({ cart: [...cart, { sku: "b", count: 2 }] });
    // The same push once more, as after an answer that was lost.
    expect(await api.session.sync.mutate(push({ identifier, ops }))).toMatchObject({ code: "SESSION_REPLACED" });
  });

  test("fails a call beside it that has begun to write to the old session and ends after it, and none that begins to write after it", async () => {
    const { sessions, t, procedure, createContext } = createApp();
    cleanups.push(() => sessions.close());
    const { open, opened } = gate();
    const router = t.router({
      relogin: procedure.mutation(({ ctx }) => ctx.session.login("bob", { replace: true, keep: ["cart"] })),
      slow: procedure.mutation(async ({ ctx }) => {
        ctx.session.setValue("note", `of ${ctx.session.subject()}`);
        await opened;
        ctx.session.setValue("user", { id: "ann", name: `of ${ctx.session.subject()}` });
      }),
      late: procedure.mutation(async ({ ctx }) => {
        await opened;
        ctx.session.setValue("note", `of ${ctx.session.subject()}, ${ctx.session.hasValue("user")}`);
      }),
    });
    const first = sessions.wake(new Request("https://shop.example/"));
    await first.run((session) => {
      session.login("ann");
      session.setValue("user", { id: "ann", name: "Ann" });
      session.setValue("cart", cart);
    });
    const cookie = first.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    const info = (paths: string[]) => ({
      accept: null,
      type: "mutation" as const,
      isBatchCall: true,
      calls: paths.map((path) => ({ path, procedure: undefined })),
      connectionParams: null,
      signal: new AbortController().signal,
      url: null,
    });
    const resHeaders = new Headers();
    const req = new Request("https://shop.example/", { method: "POST", headers: { cookie } });
    const caller = t.createCallerFactory(router)(
      createContext({ req, resHeaders, info: info(["relogin", "slow", "late"]) } as never),
    );
    const slow = outcome(caller.slow());
    const late = outcome(caller.late());
    const login = outcome(caller.relogin());
    await new Promise((resolve) => setTimeout(resolve, 20));
    open();
    expect(await Promise.all([login, slow, late])).toEqual(["ok", "CONFLICT", "ok"]);
    const next = resHeaders.getSetCookie().at(-1)?.split(";")[0] ?? "";
    const seen = sessions.wake(new Request("https://shop.example/", { headers: { cookie: next } }));
    expect(await seen.run((session) => [session.subject(), session.values()])).toEqual([
      "bob",
      { cart, note: "of bob, false" },
    ]);
  });

  test("is HEADERS_SENT over a stream, and leaves the session as it was", async () => {
    const { api, identifier } = await anns("stream");
    expect(await outcome(api.relogin.mutate({ subject: "bob" }))).toBe("HEADERS_SENT");
    expect(await api.facts.query()).toMatchObject({ identifier, subject: "ann" });
  });

  test("ends the live streams of the old session, and its tabs hear that their browser has another", async () => {
    const { browser, api, identifier } = await anns("single");
    const input = { profile: "p".repeat(22), writer: "w".repeat(22), identifier, since: 0 };
    const events: ChangesEvent[] = [];
    await new Promise<void>((resolve, reject) => {
      const subscription = api.session.changes.subscribe(input, {
        onData: ({ data }) => {
          events.push(data);
          if (events.length === 1) void api.relogin.mutate({ subject: "bob" }).catch(reject);
          if (data.ok) return;
          subscription.unsubscribe();
          resolve();
        },
        onError: reject,
      });
    });
    // A look between the seal and the end finds the one, a look after it the other.
    expect(events.at(-1)).toMatchObject({ ok: false, code: expect.stringMatching(/^SESSION_(REPLACED|GONE)$/) });
    // None of them tells the tab that its cart is gone: it went on to the new session.
    expect(JSON.stringify(events)).not.toContain('"deleted":{"cart"');
    expect(browser.jar.get("sid")).not.toContain(identifier);
    expect(await api.session.sync.mutate(push({ identifier }))).toMatchObject({ code: "SESSION_REPLACED" });
  });
});
