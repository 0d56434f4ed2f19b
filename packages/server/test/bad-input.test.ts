import { counter, defineSession, merge, type Session, SessionError, value } from "@catnap/shared";
import { faultStore } from "@catnap/testing";
import { afterAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { createSessions } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { adapters, createApp, createBrowser, type Shop, shop } from "./app.ts";
import { type Loose, refuses } from "./refuses.ts";

const options = { definition: shop, cookie: { name: "sid" }, sweepInterval: 0, tickets: true } as const;
const sessions = createSessions({ ...options, store: memoryStore() });
afterAll(() => sessions.close());
const wrong: Loose = sessions;
const request = () => new Request("https://shop.example/page");
const create: Loose = createSessions;
const express = { method: "GET", url: "/x", headers: {}, rawHeaders: [], socket: {} };
const plain = (more: object) => wrong.wake({ headers: new Headers(), ...more });
const keyed = (declared: object) => ({
  ...options,
  store: memoryStore(),
  definition: defineSession({ shared: declared as Loose }),
});

describe("createSessions names what it cannot use:", () => {
  const store = memoryStore();
  const lists = value as Loose;
  refuses([
    [
      "no options",
      () => create(),
      "INVALID_OPTION",
      /createSessions takes its options as an object .* instead of undef/,
    ],
    ["no definition", () => create({ store }), "INVALID_OPTION", /definition is undefined: pass what defineSession/],
    [
      "the groups",
      () => create({ definition: { shared: {} }, store }),
      "INVALID_OPTION",
      /definition is an object: pass/,
    ],
    ["half a definition", () => create({ definition: { keys: new Map() }, store }), "INVALID_OPTION", /definition is/],
    ["no store", () => create({ definition: shop }), "INVALID_OPTION", /store is undefined: pass memoryStore\(\)/],
    [
      "a store that was not called",
      () => create({ definition: shop, store: memoryStore }),
      "INVALID_OPTION",
      /store is a fun/,
    ],
    [
      "half a store",
      () => create({ definition: shop, store: { ...store, touch: undefined } }),
      "INVALID_OPTION",
      /store.touch is undefined, not a function: pass/,
    ],
    [
      "a watch that is none",
      () => create({ definition: shop, store: { ...store, watch: 5 } }),
      "INVALID_OPTION",
      /store.watch is 5/,
    ],
    [
      "a misspelt option of value",
      () => create(keyed({ x: lists(z.string(), { marge: merge.max }) })),
      "INVALID_DEFINITION",
      /"x" has no option "marge": did you mean "merge"/,
    ],
    [
      "the name of a merge",
      () => create(keyed({ x: lists(z.string(), { merge: "union" }) })),
      "INVALID_DEFINITION",
      /The merge of "x" is "union": give a function, such as merge.union/,
    ],
    [
      "a merge that was not called",
      () => create(keyed({ x: lists(z.array(z.object({ id: z.string() })), { merge: merge.byId }) })),
      "INVALID_DEFINITION",
      /The merge of "x" is merge.byId itself: call it/,
    ],
    [
      "text for a switch",
      () => create(keyed({ x: lists(z.string(), { disk: "no" }) })),
      "INVALID_DEFINITION",
      /disk of "x" is "no": give true or false/,
    ],
  ]);

  test("and takes what value and counter give", async () => {
    const lines = value(z.array(z.object({ id: z.string() })), { merge: merge.byId("id"), disk: false });
    await create(keyed({ lines, count: counter(), bare: z.object({}), plain: value(z.string()) })).close();
  });
});

describe("wake says what it was given and what it takes:", () => {
  const known = "pass a Request, \\{ req, res \\} of Node, Express or Fastify";
  refuses([
    ["nothing", () => wrong.wake(), "INVALID_OPTION", new RegExp(`does not know undefined: ${known}`)],
    ["a URL", () => wrong.wake("https://x"), "INVALID_OPTION", /does not know "https:\/\/x"/],
    ["a promise", () => wrong.wake(Promise.resolve(request())), "INVALID_OPTION", /a promise: await it first/],
    ["a Response", () => wrong.wake(new Response()), "INVALID_OPTION", /does not know this object/],
    ["Express's request alone", () => wrong.wake(express), "INVALID_OPTION", /a request without its response/],
    [
      "a pair without headers",
      () => wrong.wake({ req: {}, res: {} }),
      "INVALID_OPTION",
      /its req, which has no headers/,
    ],
    [
      "no response headers",
      () => wrong.wake({ req: request(), resHeaders: undefined }),
      "INVALID_OPTION",
      /resHeaders is no Headers/,
    ],
    [
      "a promise of headers",
      () => plain({ headers: Promise.resolve(new Headers()) }),
      "INVALID_OPTION",
      /headers is a promise: await it/,
    ],
    [
      "a jar for setCookie",
      () => plain({ setCookie: {} }),
      "INVALID_OPTION",
      /setCookie is an object: give a function, such as \(name, value, attributes\)/,
    ],
    ["an object for setHeader", () => plain({ setHeader: {} }), "INVALID_OPTION", /setHeader is an object/],
    ["a URL object", () => plain({ url: new URL("https://x") }), "INVALID_OPTION", /url is an object: pass it as text/],
    ["a number for the method", () => plain({ method: 5 }), "INVALID_OPTION", /method is 5: pass it as text/],
    [
      "another library's info",
      () => wrong.wake({ req: request(), resHeaders: new Headers(), info: {} }),
      "INVALID_OPTION",
      /info is an object: pass what tRPC hands/,
    ],
    ["to guard: nothing", () => wrong.guard(), "INVALID_OPTION", /does not know undefined/],
  ]);

  test("but headers that a Lambda's test event has not", async () => {
    expect(await wrong.wake({ event: { headers: null } }).read((session: Loose) => session.values())).toEqual({});
  });
});

describe("run and read say what they take:", () => {
  const answer = () => new Response("ok");
  refuses([
    ["nothing", () => wrong.run(), "INVALID_OPTION", /run takes a Request/],
    ["no handler", () => wrong.run(request()), "INVALID_OPTION", /run takes a handler besides the request/],
    ["Express's request", () => wrong.run(express, answer), "INVALID_OPTION", /call wake\(\{ req, res \}\).run/],
    ["a Response for the request", () => wrong.run(answer(), answer), "INVALID_OPTION", /run takes a Request/],
    [
      "a handler that returns nothing",
      () => wrong.run(request(), () => undefined),
      "INVALID_OPTION",
      /returned no Response: return one/,
    ],
    [
      "null for the options",
      () => wrong.run(request(), answer, null),
      "INVALID_OPTION",
      /run takes its options as an object/,
    ],
    [
      "a misspelt option",
      () => wrong.run(request(), answer, { isRedirct: answer }),
      "INVALID_OPTION",
      /did you mean "isRedirect"/,
    ],
    [
      "an option that is no function",
      () => wrong.run(request(), answer, { isRedirect: 5 }),
      "INVALID_OPTION",
      /isRedirect is 5/,
    ],
    ["run without work", () => wrong.wake(request()).run(), "INVALID_OPTION", /run takes a function that works/],
    ["read without work", () => wrong.wake(request()).read(), "INVALID_OPTION", /read takes a function that reads/],
  ]);
});

describe("what sessions is asked besides:", () => {
  refuses([
    [
      "requireFresh of text",
      () => wrong.requireFresh("5m"),
      "INVALID_OPTION",
      /requireFresh is "5m": give a finite number of seconds/,
    ],
    ["requireFresh of nothing", () => wrong.requireFresh(), "INVALID_OPTION", /requireFresh is undefined/],
    ["list of nobody", () => wrong.list(), "INVALID_OPTION", /list takes its options as an object with any of subject/],
    ["list of a text", () => wrong.list("ann"), "INVALID_OPTION", /instead of "ann"/],
    [
      "list with a wrong current",
      () => wrong.list({ subject: "ann", current: 5 }),
      "INVALID_OPTION",
      /current is 5: pass what session.identifier\(\) gives/,
    ],
    ["revoke of nothing", () => wrong.revoke(), "INVALID_OPTION", /identifier is missing.*nothing was done/],
    ["revoke of an object", () => wrong.revoke({}), "INVALID_OPTION", /identifier is missing/],
    ["revokeAll of nobody", () => wrong.revokeAll(), "INVALID_OPTION", /revokeAll takes its options as an object/],
    ["revokeAll without a subject", () => wrong.revokeAll({}), "INVALID_OPTION", /subject is missing/],
    [
      "revokeAll but for what is no session",
      () => wrong.revokeAll({ subject: "ann", except: null }),
      "INVALID_OPTION",
      /except is null: pass what session.identifier\(\) gives; nothing was done/,
    ],
  ]);

  test("errorData knows nothing of what is no error of ours", () => {
    expect([wrong.errorData(), wrong.errorData(5)]).toEqual([{ session: null }, { session: null }]);
  });
});

describe("after close, what needs the store says that it is closed:", () => {
  const closed = createSessions({ ...options, store: memoryStore() });
  const onceClosed = (act: () => unknown) => async () => {
    await closed.close();
    return act();
  };
  const write = (session: Session<Shop>) => session.setValue("note", "x");
  refuses([
    ["a write", onceClosed(() => closed.wake(request()).run(write)), "STORE_UNAVAILABLE", /closed/],
    ["list", onceClosed(() => closed.list({ subject: "ann" })), "STORE_UNAVAILABLE", /closed/],
    ["revokeAll", onceClosed(() => closed.revokeAll({ subject: "ann" })), "STORE_UNAVAILABLE", /closed/],
    ["revokeEveryone", onceClosed(() => closed.revokeEveryone()), "STORE_UNAVAILABLE", /closed/],
    ["sweep", onceClosed(() => closed.sweep()), "STORE_UNAVAILABLE", /closed/],
  ]);
});

test.each(Object.entries(adapters))(
  "in production, over tRPC's %s adapter, a store that is down is a 503",
  async (_, mount) => {
    vi.stubEnv("NODE_ENV", "production");
    const app = createApp({
      store: faultStore(memoryStore(), () => ({ kind: "fail-before" })),
      report: () => undefined,
    });
    const server = await mount(app);
    try {
      const { api, seen } = createBrowser(server.url);
      const failure = await api.login.mutate({ subject: "ann" }).catch((error: unknown) => SessionError.from(error));
      expect(failure).toMatchObject({ code: "STORE_UNAVAILABLE" });
      expect(seen.map(({ status, setCookie }) => [status, setCookie])).toEqual([[503, []]]);
    } finally {
      await server.close();
      vi.unstubAllEnvs();
    }
  },
);
