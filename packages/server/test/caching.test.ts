import { afterEach, describe, expect, test } from "vitest";
import { keptPrivate, variedByCookie } from "../src/exchange/caching.ts";
import { adapters, createApp, createBrowser, type Server } from "./app.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

for (const [name, mount] of Object.entries(adapters)) {
  describe(`responses over tRPC's ${name} adapter`, () => {
    const start = async () => {
      const app = createApp();
      const server: Server = await mount(app);
      cleanups.push(() => app.sessions.close());
      cleanups.push(() => server.close());
      const visitor = createBrowser(server.url);
      const headersOf = async (path: string, init: RequestInit = {}) => {
        const leaving = new AbortController();
        const { headers } = await visitor.send(`${server.url}/${path}`, { ...init, signal: leaving.signal });
        leaving.abort();
        return [headers.get("cache-control") ?? "", headers.get("vary") ?? ""] as const;
      };
      return { ...visitor, url: server.url, headersOf };
    };
    const post = { method: "POST", headers: { "content-type": "application/json" } };

    test("that depend on a session are kept by no cache, and vary by cookie", async () => {
      const { headersOf, api } = await start();
      const streaming = { headers: { "trpc-accept": "application/jsonl" } };
      const input = (json: unknown) => encodeURIComponent(JSON.stringify({ 0: { json } }));
      const told = async () => {
        const { identifier } = await api.facts.query();
        const follow = { identifier, profile: "profile-1", writer: "writer-1", since: 0 };
        return {
          query: await headersOf("theme"),
          batch: await headersOf(`ping,theme?batch=1&input=${encodeURIComponent("{}")}`),
          mutation: await headersOf("increment", { ...post, body: "{}" }),
          "mutation that fails": await headersOf("setThenThrow", { ...post, body: "{}" }),
          "input that is bad": await headersOf("session.setValue", { ...post, body: "{}" }),
          stream: await headersOf(`theme?batch=1&input=${input(null)}`, streaming),
          "live changes": await headersOf(
            `session.changes?input=${encodeURIComponent(JSON.stringify({ json: follow }))}`,
          ),
        };
      };
      for (const visitor of [await told(), await told()]) {
        for (const [what, [cacheControl, vary]] of Object.entries(visitor)) {
          expect(`${what}: ${cacheControl}`).toMatch(/: .*\bno-store\b/);
          expect(`${what}: ${vary}`).toMatch(/: .*\bCookie\b/i);
        }
      }
    });

    test("that do not may be cached", async () => {
      const { headersOf } = await start();
      const [cacheControl, vary] = await headersOf("ping");
      expect(cacheControl).toBe("");
      expect(vary).not.toMatch(/cookie/i);
    });
  });
}

for (const name of ["standalone", "express", "fastify"] as const) {
  test(`what the app's responseMeta makes public stays private over ${name}`, async () => {
    const app = createApp();
    const server = await adapters[name](app, {
      responseMeta: () => ({ headers: { "cache-control": "public, max-age=60", vary: "accept" } }),
    });
    cleanups.push(() => server.close());
    const { send } = createBrowser(server.url);
    const { headers } = await send(`${server.url}/theme`);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("vary")).toMatch(/accept.*Cookie/);
  });
}

test("responses of run are private; the app may choose how, not whether", async () => {
  const { sessions } = createApp();
  const answer = async (headers: Record<string, string>) => {
    const response = await sessions.run(new Request("https://shop.test/"), () => new Response("", { headers }));
    return [response.headers.get("cache-control"), response.headers.get("vary")];
  };
  expect(await answer({})).toEqual(["no-store", "Cookie"]);
  expect(await answer({ "cache-control": "private, no-cache", vary: "accept" })).toEqual([
    "private, no-cache",
    "accept, Cookie",
  ]);
  expect(await answer({ "cache-control": "public, max-age=60", vary: "*" })).toEqual(["no-store", "*"]);
});

test("one response of the app's, without a body, gives no visitor's cookie to anybody else", async () => {
  const { sessions } = createApp();
  const accepted = new Response(null, { status: 202, headers: { "content-type": "text/plain" } });
  const visit = () =>
    sessions.run(new Request("https://shop.test/"), (session) => {
      session.setValue("theme", "dark");
      return accepted;
    });
  const cookies = [await visit(), await visit(), accepted].map(({ headers }) => headers.getSetCookie().length);
  expect(cookies).toEqual([1, 1, 0]);
});

test("a response that cannot be changed, as those of fetch, leaves with the session's cookie all the same", async () => {
  const { sessions } = createApp();
  const fetched = () => fetch("data:text/plain,fetched");
  const response = await sessions.run(new Request("https://shop.test/"), async (session) => {
    session.setValue("theme", "dark");
    return fetched();
  });
  expect(await response.text()).toBe("fetched");
  expect(response.headers.getSetCookie()).toHaveLength(1);
  const read = await sessions.run(new Request("https://shop.test/"), fetched);
  expect([await read.text(), read.headers.get("cache-control")]).toEqual(["fetched", "no-store"]);
});

test("wake without a response of its own sets both through setHeader", async () => {
  const { sessions } = createApp();
  const headers = new Headers();
  const awake = sessions.wake({ headers: new Headers(), setHeader: (name, value) => headers.set(name, value) });
  await awake.read(() => undefined);
  expect(Object.fromEntries(headers)).toEqual({ "cache-control": "no-store", vary: "Cookie" });
});

test("a directive is a word of its own", () => {
  expect(keptPrivate("max-age=1, x-private-ish")).toBe("no-store");
  expect(keptPrivate('max-age=0,private,x="y"')).toBe('max-age=0,private,x="y"');
  expect(variedByCookie("x-cookie")).toBe("x-cookie, Cookie");
  expect(variedByCookie("accept,COOKIE")).toBe("accept,COOKIE");
});
