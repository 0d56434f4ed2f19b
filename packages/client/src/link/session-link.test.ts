import {
  createTRPCClient,
  httpBatchLink,
  httpBatchStreamLink,
  httpLink,
  retryLink,
  splitLink,
  type TRPCLink,
} from "@trpc/client";
import { observable } from "@trpc/server/observable";
import superjson from "superjson";
import { expect, test } from "vitest";
import { type AppRouter, line, openShop, optionsOf } from "../../test/linked.ts";
import { open, type Tab, until } from "../../test/world.ts";
import { sessionLink } from "../index.ts";

test("a mutation sees what was written just before it, and its effect shows, in one request", async () => {
  const { session, api, asked, browser } = await openShop();
  session.setValue("cart", [line]);
  expect(await api.checkout.mutate()).toEqual([line]);
  expect(session.value("cart")).toEqual([]);
  expect(session.status()).toMatchObject({ state: "synced", pending: 0 });
  expect(asked()).toEqual(["session.sync,checkout"]);
  expect((await browser.server()).entries.cart?.value).toBe("[]");
});

test("a mutation that follows no write and changes nothing is one request", async () => {
  const { api, asked, session } = await openShop();
  expect(await api.note.mutate()).toBe(null);
  expect(asked()).toEqual(["note"]);
  expect(session.status().state).toBe("synced");
});

test("a call that waits for nothing is sent, and its answer told, in the same tasks and microtasks as without the link", async () => {
  const { session } = await openShop();
  const response = new Response(null, { headers: { "x-session-rev": `1 ${session.identifier()}` } });
  const answer = { result: { data: "done" }, context: { response, responseJSON: {} } };
  const end: TRPCLink<AppRouter> = () => () =>
    observable((observer) => {
      observer.next(answer);
      observer.complete();
    });
  const linked = sessionLink<AppRouter>(session)({});
  for (const type of ["mutation", "query"] as const) {
    const told: unknown[] = [];
    const op = { id: 1, type, path: "note", input: undefined, context: {}, signal: null };
    linked({ op, next: () => end({})({ op, next: () => expect.fail("the end has no next") }) }).subscribe({
      next: (value) => told.push(value),
      complete: () => told.push("complete"),
    });
    expect(told).toEqual([answer, "complete"]);
  }
});

test("a retryLink before the link sends changes and mutation once more, and both count once", async () => {
  const retry = retryLink<AppRouter>({ retry: ({ attempts }) => attempts < 3 });
  const { world, session, api, asked } = await openShop({ before: [retry] });
  let first = true;
  world.fate = () => {
    if (!first) return "ok";
    first = false;
    return "answer lost";
  };
  session.update("visits", (n) => n + 1);
  expect(await api.count.mutate()).toBe(1);
  expect(asked()).toEqual(["session.sync,count", "session.sync,count"]);
  expect(session.value("visits")).toBe(1);
});

test("what a mutation changed shows when it has answered, after one request for the news", async () => {
  const { api, asked, session } = await openShop();
  await api.pin.mutate("1234");
  expect(session.value("pin")).toBe("1234");
  expect(asked()).toEqual(["pin", "session.sync"]);
});

test("mutations of one task that follow a write share its request, and those after it have what they changed", async () => {
  const { session, api, asked } = await openShop();
  session.setValue("note", "n");
  session.setValue("cart", [line]);
  expect(await Promise.all([api.note.mutate(), api.checkout.mutate()])).toEqual(["n", [line]]);
  expect(asked()).toEqual(["session.sync,note,checkout"]);
});

test("a value that touches no disk goes first, and the rest with the mutation", async () => {
  const { session, api, asked } = await openShop();
  session.setValue("pin", "1");
  session.setValue("note", "n");
  expect(await api.note.mutate()).toBe("n");
  expect(asked()).toEqual(["session.sync", "session.sync,note"]);
});

test("a mutation of a page that has no session yet is sent with the push that begins one", async () => {
  const { world, browser } = open();
  const tab = browser.tab();
  await tab.session.awake();
  world.requests.length = 0;
  const api = createTRPCClient<AppRouter>({ links: [sessionLink(tab.session), httpBatchLink(optionsOf(tab))] });
  tab.session.setValue("note", "first");
  expect(await api.note.mutate()).toBe("first");
  expect(world.requests.map(({ path }) => path)).toEqual(["session.sync,note"]);
  expect(tab.session.identifier()).toEqual(expect.any(String));
});

test("a mutation that comes with a push that the server does not take at once runs once, after the push", async () => {
  const { browser, world } = open();
  const first = browser.tab();
  await first.session.awake();
  first.session.setValue("note", "theirs");
  await first.session.sleep();
  first.kill();
  // Of another database, as after the user has cleared it: the tab does not know which session the cookie names.
  const tab = browser.tab({ name: "other" });
  const api = createTRPCClient<AppRouter>({ links: [sessionLink(tab.session), httpBatchLink(optionsOf(tab))] });
  world.requests.length = 0;
  tab.session.setValue("note", "mine");
  expect(await api.note.mutate()).toBe("mine");
  expect(world.requests.map(({ path }) => path)).toEqual(["session.sync,note", "session.sync", "note"]);
});

test("a link that does not batch sends the push first, then the mutation", async () => {
  const { session, api, asked } = await openShop({ link: httpLink });
  session.setValue("cart", [line]);
  expect(await api.checkout.mutate()).toEqual([line]);
  expect(asked()).toEqual(["session.sync", "checkout", "session.sync"]);
  expect(session.value("cart")).toEqual([]);
});

test("a streamed mutation comes with its push, and one request brings what it changed", async () => {
  const { session, api, asked } = await openShop({ link: httpBatchStreamLink });
  session.setValue("cart", [line]);
  expect(await api.checkout.mutate()).toEqual([line]);
  expect(session.value("cart")).toEqual([]);
  expect(asked()).toEqual(["session.sync,checkout", "session.sync"]);
});

test("a visitor's first write goes before a streamed mutation, since a stream makes no session", async () => {
  const { browser } = open();
  const tab = browser.tab();
  await tab.session.awake();
  const api = createTRPCClient<AppRouter>({ links: [sessionLink(tab.session), httpBatchStreamLink(optionsOf(tab))] });
  tab.session.setValue("cart", [line]);
  expect(await api.checkout.mutate()).toEqual([line]);
  expect([tab.session.value("cart"), tab.session.status().problem]).toEqual([[], undefined]);
});

test("each branch of a splitLink has a link of its own", async () => {
  const { world, tab, session, asked } = await openShop();
  const options = optionsOf(tab);
  const api = createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: ({ path }) => path === "checkout",
        true: [sessionLink(session), httpLink(options)],
        false: [sessionLink(session), httpBatchLink(options)],
      }),
    ],
  });
  session.setValue("cart", [line]);
  session.setValue("note", "n");
  expect(await Promise.all([api.checkout.mutate(), api.note.mutate()])).toEqual([[line], "n"]);
  world.requests.length = 0;
  session.setValue("note", "m");
  expect(await api.note.mutate()).toBe("m");
  expect(asked()).toEqual(["session.sync,note"]);
  session.setValue("cart", [line]);
  expect(await api.checkout.mutate()).toEqual([line]);
  expect(asked().slice(1)).toEqual(["session.sync", "checkout", "session.sync"]);
});

test("a call with a context of its own takes its push the same way", async () => {
  const { world, tab, session, asked } = await openShop();
  const options = optionsOf(tab);
  const api = createTRPCClient<AppRouter>({
    links: [
      sessionLink(session),
      splitLink({
        condition: ({ context }) => context.alone === true,
        true: httpLink(options),
        false: httpBatchLink(options),
      }),
    ],
  });
  session.setValue("note", "a");
  const context = { alone: true };
  expect(await Promise.all([api.note.mutate(undefined, { context }), api.note.mutate()])).toEqual(["a", "a"]);
  expect(asked()).toEqual(["session.sync", "note", "note"]);
  world.requests.length = 0;
  session.setValue("note", "b");
  expect(await Promise.all([api.note.mutate(), api.note.mutate(undefined, { context })])).toEqual(["b", "b"]);
  expect(asked()).toEqual(["session.sync,note", "note"]);
});

test("a mutation with form data, which no batch can carry, follows the push in a request of its own", async () => {
  const { tab, session, asked } = await openShop();
  const options = optionsOf(tab);
  const api = createTRPCClient<AppRouter>({
    links: [
      sessionLink(session),
      splitLink({
        condition: ({ input }) => input instanceof FormData,
        true: httpLink({
          ...options,
          transformer: { serialize: (data: FormData) => data, deserialize: superjson.deserialize } as never,
        }),
        false: httpBatchLink(options),
      }),
    ],
  });
  session.setValue("note", "n");
  expect(await api.upload.mutate(new FormData())).toBe("n");
  expect(asked()).toEqual(["session.sync", "upload"]);
});

test("a query does not wait for changes, and shows what it has changed itself", async () => {
  const { session, api, asked } = await openShop();
  session.setValue("note", "n");
  expect(await api.seen.query()).toBe(null);
  expect(asked()).toEqual(["seen"]);
  await session.sleep();
  expect(await api.visit.query()).toBe(1);
  expect(session.value("visits")).toBe(1);
});

test("answers that come at once ask for the news once", async () => {
  const { session, api, asked } = await openShop();
  await Promise.all([api.pin.mutate("1"), api.clear.mutate()]);
  expect(asked()).toEqual(["pin,clear", "session.sync"]);
  expect(session.values()).toEqual({ pin: "1" });
});

test("an answer that is newer than the one under way asks once more", async () => {
  const { world, session, api, asked } = await openShop({ link: httpLink });
  const before = world.handled;
  const release = world.holdAnswers();
  const awake = session.awake();
  await until(() => world.handled === before + 1);
  world.answers = Promise.resolve();
  const pinned = api.pin.mutate("1");
  await until(() => world.handled === before + 2);
  release();
  await Promise.all([awake, pinned]);
  expect(session.value("pin")).toBe("1");
  expect(asked()).toEqual(["session.sync", "pin", "session.sync"]);
});

test("a session that was only called dirty is asked for before the mutation", async () => {
  const { session, api, asked } = await openShop();
  session.setDirty();
  await api.note.mutate();
  expect(asked()).toEqual(["session.sync,note"]);
  expect(session.isDirty()).toBe(false);
});

test("a tab never has two pushes under way, whoever asks for one", async () => {
  const { world, session, api } = await openShop({ link: httpLink });
  world.most = 0;
  for (let round = 0; round < 5; round++) {
    session.setValue("note", `${round}`);
    await Promise.all([
      api.note.mutate(),
      session.sleep(),
      api.pin.mutate(`${round}`),
      session.awake(),
      api.note.mutate(),
    ]);
  }
  expect(world.most).toBe(1);
});

test("a mutation that comes while a push is under way waits for it, and for the next when it needs one", async () => {
  const { world, session, api, asked } = await openShop();
  const release = world.hold();
  session.setValue("note", "a");
  const sleeping = session.sleep();
  await until(() => world.requests.length === 1);
  session.setValue("note", "b");
  const seen = api.note.mutate();
  release();
  await sleeping;
  expect(await seen).toBe("b");
  expect(asked()).toEqual(["session.sync", "session.sync,note"]);
});

test("a call that has nothing to do with the session asks for no news", async () => {
  const { api, asked } = await openShop();
  expect(await api.plain.mutate()).toBe("done");
  expect(asked()).toEqual(["plain"]);
});

test("while there is no session yet, calls pass", async () => {
  const { world, browser } = open();
  const tab = browser.tab();
  let session: Tab["session"] | undefined;
  const api = createTRPCClient<AppRouter>({ links: [sessionLink(() => session), httpBatchLink(optionsOf(tab))] });
  expect(await api.plain.mutate()).toBe("done");
  session = tab.session;
  await session.awake();
  session.setValue("note", "n");
  expect(await api.note.mutate()).toBe("n");
  session.setValue("note", "m");
  await session.sleep();
  await session.invalidate();
  expect(await api.note.mutate()).toBe(null);
  expect(world.requests.at(-1)?.path).toBe("note");
});

test("a tab that is asleep, as on a server, takes nothing in", async () => {
  const { world, browser } = open();
  const tab = browser.tab();
  const api = createTRPCClient<AppRouter>({ links: [sessionLink(tab.session), httpBatchLink(optionsOf(tab))] });
  await api.pin.mutate("1");
  expect(world.requests.map(({ path }) => path)).toEqual(["pin"]);
  expect(tab.session.toJSON().identifier).toBe(null);
});

test("a link without a session is told so when it is made", () => {
  for (const wrong of [undefined, {}]) {
    expect(() => sessionLink(wrong as never)).toThrow(
      expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringContaining("createSessionClient") }),
    );
  }
});
