import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import express from "express";
import fastify from "fastify";
import { afterEach, describe, expect, test, vi } from "vitest";
import { faultStore } from "../../testing/src/fault-store.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { codeOf, start } from "./plain.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const cookieOf = (response: Response) => response.headers.getSetCookie()[0]?.split(";")[0] ?? "";

describe("run on Node's own request and response", () => {
  test("sends an answer that was given inside only when the session is committed, with its cookie", async () => {
    const { sessions } = start();
    const url = await listen((req, res) => {
      void sessions.wake({ req, res }).run((session) => {
        session.setValue("note", "kept");
        res.writeHead(201, { "content-type": "text/plain", "set-cookie": "app=1" });
        res.end("answered");
      });
    });
    const response = await fetch(url);
    expect([response.status, await response.text()]).toEqual([201, "answered"]);
    expect(response.headers.getSetCookie()).toEqual(["app=1", expect.stringMatching(/^sid=/)]);
    expect(response.headers.get("cache-control")).toBe("no-store");
    const cookie = response.headers.getSetCookie()[1]?.split(";")[0] ?? "";
    const request = new Request("https://shop.example/", { headers: { cookie } });
    expect(await sessions.wake(request).read((session) => session.value("note"))).toBe("kept");
  });

  test("resolves to what the function returned, of whatever type, and leaves the answer to the caller", async () => {
    const { sessions } = start();
    const url = await listen(async (req, res) => {
      const visits = await sessions.wake({ req, res }).run((session) => session.update("visits", (n) => n + 1));
      res.end(JSON.stringify({ visits }));
    });
    const first = await fetch(url);
    expect(await first.json()).toEqual({ visits: 1 });
    expect(await (await fetch(url, { headers: { cookie: cookieOf(first) } })).json()).toEqual({ visits: 2 });
  });

  test("commits nothing when it fails, though it has answered, and lets the framework answer", async () => {
    const { sessions, store } = start();
    const url = await listen(async (req, res) => {
      await sessions
        .wake({ req, res })
        .run(async (session) => {
          session.setValue("note", "lost");
          res.setHeader("content-length", "3");
          res.end("yes");
          for (let i = 0; i < 20; i++) await Promise.resolve();
          throw new Error("after the answer");
        })
        .catch((error: Error) => {
          res.statusCode = 500;
          res.end(error.message);
        });
    });
    const response = await fetch(url);
    expect([response.status, await response.text()]).toEqual([500, "after the answer"]);
    expect(response.headers.getSetCookie()).toEqual([]);
    expect((await store.find({ limit: 10 })).items).toEqual([]);
  });

  test("commits nothing of an answer that says that the server failed", async () => {
    const { sessions, store } = start();
    const url = await listen((req, res) => {
      void sessions.wake({ req, res }).run((session) => {
        session.setValue("note", "lost");
        res.writeHead(503).end("later");
      });
    });
    const response = await fetch(url);
    expect([response.status, await response.text()]).toEqual([503, "later"]);
    expect((await store.find({ limit: 10 })).items).toEqual([]);
  });

  test("sends the last of several answers, as a framework gives one when a handler has answered and then failed", async () => {
    const { sessions, store } = start();
    const url = await listen((req, res) => {
      void sessions.wake({ req, res }).run((session) => {
        session.setValue("note", "lost");
        res.end("all is well");
        res.writeHead(500).end("it is not");
      });
    });
    const response = await fetch(url);
    expect([response.status, await response.text()]).toEqual([500, "it is not"]);
    expect((await store.find({ limit: 10 })).items).toEqual([]);
  });

  test("sets a cookie that comes of what is written after the head was given", async () => {
    const { sessions } = start();
    const url = await listen((req, res) => {
      void sessions.wake({ req, res }).run(async (session) => {
        session.setValue("note", "n");
        await session.save();
        res.writeHead(200);
        session.rotate();
        res.end();
      });
    });
    const cookies = (await fetch(url)).headers.getSetCookie();
    const cookie = cookies.at(-1)?.split(";")[0] ?? "";
    expect(await sessions.wake({ headers: { cookie } }).read((session) => session.previous())).toBe("none");
    expect(cookies).toHaveLength(2);
  });

  test("drops an answer whose commit has failed, so that the failure can be told", async () => {
    const store = faultStore(memoryStore(), ({ method }) => (method === "write" ? { kind: "fail-before" } : undefined));
    const { sessions } = start({ store });
    const url = await listen((req, res) => {
      sessions
        .wake({ req, res })
        .run((session) => {
          session.setValue("note", "n");
          res.end("all is well");
        })
        .catch(() => res.writeHead(503).end("the store is down"));
    });
    const response = await fetch(url);
    expect([response.status, await response.text()]).toEqual([503, "the store is down"]);
  });

  test("ends its transaction as a body begins that is still being sent, and the body arrives whole", async () => {
    const { sessions } = start();
    let late: string | undefined;
    const url = await listen((req, res) => {
      void sessions.wake({ req, res }).run(async (session) => {
        session.setValue("note", "n");
        const body = new PassThrough({ highWaterMark: 10 });
        body.pipe(res);
        for (let i = 0; i < 20; i++) {
          if (!body.write(`${i} `.padEnd(20))) await once(body, "drain");
        }
        late = await codeOf(() => session.setValue("note", "too late"));
        body.end();
      });
    });
    const response = await fetch(url);
    expect((await response.text()).split(/\s+/).filter(Boolean)).toHaveLength(20);
    expect(cookieOf(response)).toMatch(/^sid=/);
    expect(late).toBe("SESSION_CLOSED");
  });
});

describe("run in frameworks' handlers", () => {
  test("of Express: res.json, res.redirect after a login, and a thrown error that Express answers", async () => {
    const { sessions } = start();
    const app = express();
    app.get("/json", (req, res) =>
      sessions.wake({ req, res }).run((session) => void res.json({ ok: session.isNew() })),
    );
    app.get("/login", (req, res) =>
      sessions.wake({ req, res }).run((session) => {
        session.login("ann");
        res.redirect("/");
      }),
    );
    app.get("/fail", (req, res) =>
      sessions.wake({ req, res }).run((session) => {
        session.setValue("note", "lost");
        throw new Error("the handler's own");
      }),
    );
    app.get("/", (req, res) =>
      sessions.wake({ req, res }).read((session) => res.send(`${session.subject()} ${session.value("note", null)}`)),
    );
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    cleanups.push(() => vi.restoreAllMocks());
    const url = await listen(app);
    expect(await (await fetch(`${url}/json`)).json()).toEqual({ ok: true });
    const redirect = await fetch(`${url}/login`, { redirect: "manual" });
    expect([redirect.status, redirect.headers.get("location")]).toEqual([302, "/"]);
    const headers = { cookie: cookieOf(redirect) };
    expect((await fetch(`${url}/fail`, { headers })).status).toBe(500);
    expect(await (await fetch(url, { headers })).text()).toBe("ann null");
  });

  test("of Fastify: reply.send inside and a value that is returned", async () => {
    const { sessions } = start();
    const app = fastify();
    app.get("/send", (req, res) =>
      sessions.wake({ req, res }).run((session) => {
        session.setValue("note", "sent");
        void res.header("set-cookie", "app=1").send({ sent: true });
      }),
    );
    app.get("/return", (req, res) => sessions.wake({ req, res }).run((session) => ({ note: session.value("note") })));
    const url = await app.listen({ port: 0, host: "127.0.0.1" });
    cleanups.push(() => app.close());
    const sent = await fetch(`${url}/send`);
    expect(await sent.json()).toEqual({ sent: true });
    const cookie =
      sent.headers
        .getSetCookie()
        .find((one) => one.startsWith("sid="))
        ?.split(";")[0] ?? "";
    expect(sent.headers.getSetCookie()).toHaveLength(2);
    expect(await (await fetch(`${url}/return`, { headers: { cookie } })).json()).toEqual({ note: "sent" });
  });
});

describe("run on a Request", () => {
  const request = (init: RequestInit = {}) => new Request("https://shop.example/page", init);

  test("leaves what the response needs in headers", async () => {
    const { sessions } = start();
    const awake = sessions.wake(request());
    expect(await awake.run((session) => session.update("visits", (n) => n + 1))).toBe(1);
    expect(awake.headers.getSetCookie()).toHaveLength(1);
    expect(awake.headers.get("vary")).toBe("Cookie");
  });

  test("commits what a thrown redirect has changed, a Response's or the framework's own, and what any other throw has not", async () => {
    const { sessions, store } = start();
    const thrown = new Response(null, { status: 303, headers: { location: "/" } });
    const login = sessions.run(request(), (session) => {
      session.login("ann");
      throw thrown;
    });
    const redirect = await login.catch((error: unknown) => error as Response);
    expect([redirect.status, redirect.headers.get("location")]).toEqual([303, "/"]);
    expect(cookieOf(redirect)).toMatch(/^sid=/);

    class Redirect {
      readonly location = "/";
    }
    const own = sessions.wake(request());
    const isRedirect = (error: unknown) => error instanceof Redirect;
    const running = own.run(
      (session) => {
        session.login("bob");
        throw new Redirect();
      },
      { isRedirect },
    );
    await expect(running).rejects.toBeInstanceOf(Redirect);
    expect(cookieOf(new Response(null, { headers: own.headers }))).toMatch(/^sid=/);

    for (const failure of [new Response(null, { status: 404 }), new Redirect()]) {
      const failing = sessions.wake(request()).run((session) => {
        session.login("eve");
        throw failure;
      });
      await expect(failing).rejects.toBe(failure);
    }
    const { items } = await store.find({ limit: 10 });
    expect(items.map(({ subject }) => subject).sort()).toEqual(["ann", "bob"]);
  });

  test("commits nothing when the response says that the server failed, as middleware makes of a throw", async () => {
    const { sessions, store } = start();
    const response = await sessions.run(request(), (session) => {
      session.setValue("note", "lost");
      return new Response("failed", { status: 500 });
    });
    expect([response.status, response.headers.getSetCookie()]).toEqual([500, []]);
    expect((await store.find({ limit: 10 })).items).toEqual([]);
  });

  test("knows a Response of another class, where a server has put a lighter one in the place of the global one", async () => {
    const { sessions, store } = start();
    const [failed, moved] = [new Response("failed", { status: 500 }), Response.redirect("https://shop.example/")];
    vi.stubGlobal("Response", class extends Response {});
    cleanups.push(() => vi.unstubAllGlobals());
    const response = await sessions.run(request(), (session) => {
      session.setValue("note", "lost");
      return failed;
    });
    const running = sessions.run(request(), (session) => {
      session.login("ann");
      throw moved;
    });
    const redirect = await running.catch((error: unknown) => error as Response);
    expect([response.status, redirect.status, cookieOf(redirect)]).toEqual([500, 302, expect.stringMatching(/^sid=/)]);
    expect((await store.find({ limit: 10 })).items).toEqual([expect.objectContaining({ subject: "ann" })]);
  });

  test("a handler that returns no Response is told so, and changes nothing", async () => {
    const { sessions, store } = start();
    const running = sessions.run(request(), ((session: { setValue(key: "note", value: string): void }) =>
      session.setValue("note", "n")) as never);
    await expect(running).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(/no Response/),
    });
    expect((await store.find({ limit: 10 })).items).toEqual([]);
  });

  test("a cookie that nobody puts on the response is told of in development", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    cleanups.push(() => warn.mockRestore());
    const { sessions } = start();
    await sessions.wake(request()).run((session) => session.setValue("note", "n"));
    await expect
      .poll(() => warn.mock.calls, { timeout: 3_000 })
      .toEqual([[expect.stringMatching(/nobody has read .headers/)]]);
  });
});

test("a Lambda event of version 2 has its cookies apart, and its function puts the headers on its answer", async () => {
  const { sessions } = start();
  const event = (cookies: string[]) => ({
    rawPath: "/cart",
    rawQueryString: "a=1",
    headers: { host: "shop.example", "User-Agent": "x" },
    cookies,
    requestContext: { http: { method: "POST", sourceIp: "192.0.2.1" } },
  });
  const first = sessions.wake({ event: event(["other=1"]) });
  await first.run((session) => session.setValue("note", "lambda"));
  const cookie = first.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const next = sessions.wake({ event: event(["other=1", cookie]) });
  expect(await next.read((session) => session.value("note"))).toBe("lambda");
});

test("a framework's cookie jar is given name, value and attributes", async () => {
  const { sessions } = start();
  const jar = new Map<string, unknown[]>();
  const setCookie = (name: string, ...rest: unknown[]) => void jar.set(name, rest);
  await sessions.wake({ headers: {}, setCookie }).run((session) => session.setValue("note", "n"));
  const attributes = { httpOnly: true, secure: true, sameSite: "lax", path: "/", maxAge: expect.any(Number) };
  expect(jar.get("sid")).toEqual([expect.stringMatching(/^[\w-]+\.[\w-]+$/), attributes]);
});

describe("read", () => {
  test("writes nothing, sets no cookie, renews no token, and notes the use", async () => {
    const { sessions, visitor, clock } = start({ renewal: 1_000, timeout: 3_000, lifetime: 100_000 });
    const { visit, state } = visitor();
    await visit((session) => session.setValue("note", "n"));
    clock.advance(2_000);
    const headers = { cookie: state.cookie };
    const awake = sessions.wake(new Request("https://shop.example/", { headers }));
    expect(await awake.read((session) => session.value("note"))).toBe("n");
    expect(await codeOf(() => awake.read((session) => session.setValue("note", "no")))).toBe("SESSION_CLOSED");
    expect(awake.headers.getSetCookie()).toEqual([]);
    clock.advance(2_000);
    expect(await awake.read((session) => session.isExpired())).toBe(false);
    expect(await sessions.wake({ headers }).read((session) => session.value("note"))).toBe("n");
  });
});

describe("snapshot", () => {
  test("shows what the same request has changed, committed or not yet", async () => {
    const { sessions } = start();
    const awake = sessions.wake(new Request("https://shop.example/"));
    const inside = await awake.run((session) => {
      session.setValue("theme", "dark");
      return awake.snapshot();
    });
    expect(inside.entries.theme).toEqual({ value: '"dark"', rev: 0 });
    const after = await awake.snapshot();
    expect(after.entries.theme).toEqual({ value: '"dark"', rev: 1 });
    expect(inside.identifier).toBe(after.identifier);
  });
});

test.each<[what: string, source: unknown]>([
  ["nothing", undefined],
  ["a text", "GET /"],
  ["Node's request alone", { headers: {}, rawHeaders: [], url: "/" }],
  ["a request without headers", { req: {}, res: { writeHead: () => undefined } }],
  ["an unknown response", { req: { headers: {} }, res: {} }],
  ["an empty object", {}],
])("wake refuses %s, and says what it takes", (_, source) => {
  const { sessions } = start();
  expect(() => sessions.wake(source as never)).toThrow(
    expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringMatching(/wake does not know/) }),
  );
});
