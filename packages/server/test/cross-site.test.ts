import { once } from "node:events";
import { createServer } from "node:http";
import { connect as connect2, createServer as createServer2 } from "node:http2";
import type { AddressInfo } from "node:net";
import { SessionError } from "@catnap/shared";
import express from "express";
import { afterEach, describe, expect, test, vi } from "vitest";
import { reportToStandardError } from "../src/events.ts";
import type { SessionEvent } from "../src/index.ts";
import { adapters, createApp, createBrowser } from "./app.ts";
import { codeOf } from "./plain.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** What browsers say of a request that a page of another origin had them send. */
const foreign: Record<string, Record<string, string>> = {
  "a foreign site": { "sec-fetch-site": "cross-site", origin: "https://evil.example" },
  "a neighbour of the same site": { "sec-fetch-site": "same-site", origin: "http://blog.127.0.0.1" },
  "a sandboxed frame": { "sec-fetch-site": "cross-site", origin: "null" },
  "an older browser's foreign site": { origin: "https://evil.example" },
  "an older browser's sandboxed frame": { origin: "null" },
  "another port of the same host": { origin: "http://127.0.0.1:1" },
};

const json = (value: unknown) => JSON.stringify({ json: value });
/** A batch of calls without input. */
const batchOf = (): RequestInit => ({
  method: "POST",
  body: "{}",
  headers: { "content-type": "application/json" },
});
const form = () => {
  const data = new FormData();
  data.set("x", "1");
  return data;
};

/** Every way in which a page, without asking by CORS first, can make a browser send something to another origin. */
const shots: Record<string, { path: string; init: RequestInit }> = {
  "a multipart form": { path: "bareForm", init: { method: "POST", body: form() } },
  "a urlencoded form": { path: "bareForm", init: { method: "POST", body: new URLSearchParams({ x: "1" }) } },
  "JSON as text/plain": {
    path: "session.setValue",
    init: {
      method: "POST",
      body: json({ key: "note", value: "forged" }),
      headers: { "content-type": "text/plain" },
    },
  },
  "octet-stream": {
    path: "bareForm",
    init: { method: "POST", body: new Uint8Array([123, 125]), headers: { "content-type": "application/octet-stream" } },
  },
  "a JSON beacon": {
    path: "session.setValue",
    init: {
      method: "POST",
      body: json({ key: "note", value: "forged" }),
      headers: { "content-type": "application/json", "sec-fetch-mode": "no-cors" },
    },
  },
  "a beacon without a type": { path: "bareForm", init: { method: "POST", body: new Uint8Array([123, 125]) } },
  "a form at a batch URL": { path: "bareForm,transfer?batch=1", init: { method: "POST", body: form() } },
  "a JSON beacon at a batch URL": { path: "bareForm,transfer?batch=1", init: batchOf() },
  "a GET of a mutation": { path: "bareForm", init: { method: "GET" } },
  "a GET of a query that writes": { path: "sneaky", init: { method: "GET" } },
  "a form at the app's own mutation": { path: "transfer", init: { method: "POST", body: form() } },
};

for (const [name, mount] of Object.entries(adapters)) {
  describe(`cross-site requests over tRPC's ${name} adapter`, () => {
    const start = async (options: Parameters<typeof createApp>[0] = {}) => {
      const reports: SessionEvent[] = [];
      const app = createApp({ report: (event) => void reports.push(event), ...options });
      const server = await mount(app);
      cleanups.push(() => app.sessions.close());
      cleanups.push(() => server.close());
      const browser = createBrowser(server.url);
      await browser.api.session.setValue.mutate({ key: "note", value: "mine" });
      const shoot = async (shot: (typeof shots)[string], headers: Record<string, string>) => {
        const init = { ...shot.init, headers: { ...(shot.init.headers as Record<string, string>), ...headers } };
        return browser.send(`${server.url}/${shot.path}`, init);
      };
      const note = () => browser.api.session.value.query({ key: "note" });
      return { ...browser, app, reports, url: server.url, shoot, note };
    };

    test("change nothing, whatever they are made of", async () => {
      const { app, shoot, note, jar } = await start();
      const token = jar.get("sid");
      for (const [from, headers] of Object.entries(foreign)) {
        for (const [what, shot] of Object.entries(shots)) {
          const { status } = await shoot(shot, headers);
          expect(`${what} of ${from}: ${status}`).toMatch(/: (403|404|405|415)$/);
          expect(`${what} of ${from}: ${await note()}`).toMatch(/: mine$/);
        }
      }
      expect(app.ran.transfers).toBe(0);
      expect(jar.get("sid")).toBe(token);
    });

    test("get no live stream, which would take one of the session's few", async () => {
      const { api, send, url } = await start({ maxStreams: 1 });
      const { identifier } = await api.facts.query();
      const input = encodeURIComponent(json({ identifier, profile: "profile-1", writer: "writer-1", since: 0 }));
      const follow = (headers: Record<string, string>) => {
        const leaving = new AbortController();
        cleanups.push(() => leaving.abort());
        return send(`${url}/session.changes?input=${input}`, { headers, signal: leaving.signal });
      };
      const first = async (response: Response) => {
        const reader = response.body?.getReader();
        let text = "";
        while (!/\n\n.*\n\n/s.test(text)) {
          const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
          if (done) break;
          text += new TextDecoder().decode(value);
        }
        return text;
      };
      for (const headers of Object.values(foreign)) {
        const text = await first(await follow(headers));
        expect(text).not.toContain("mine");
        expect(text).toContain("CROSS_SITE");
      }
      expect(await first(await follow({ "sec-fetch-site": "same-origin" }))).toContain("mine");
    });

    test("are not those of the page itself, of listed origins, and of clients that are no browsers", async () => {
      const { app, shoot, url } = await start({ origins: ["https://app.example"] });
      const { origin } = new URL(url);
      const bareForm = { path: "transfer", init: { method: "POST", body: form() } };
      const welcome: Record<string, string>[] = [
        { "sec-fetch-site": "same-origin", origin },
        { "sec-fetch-site": "none" },
        { "sec-fetch-site": "cross-site", origin: "https://app.example" },
        { "sec-fetch-site": "same-site", origin: "https://app.example" },
        { origin: "https://app.example" },
        { origin },
        {},
      ];
      for (const headers of welcome) expect((await shoot(bareForm, headers)).status).toBe(200);
      expect(app.ran.transfers).toBe(welcome.length);
      // A listed origin is one origin: neither its sub-domains nor its namesakes.
      for (const namesake of ["https://app.example.evil.example", "http://app.example", "https://a.app.example"]) {
        expect((await shoot(bareForm, { "sec-fetch-site": "cross-site", origin: namesake })).status).toBe(403);
      }
    });

    test("pass in a roll-out with guard report, and each is told once", async () => {
      const { app, shoot, note, reports } = await start({ guard: "report" });
      const headers = { "sec-fetch-site": "same-site", origin: "https://blog.shop.example" };
      const told = { kind: "cross-site", site: "same-site", origin: "https://blog.shop.example" };
      expect((await shoot({ path: "bareForm", init: { method: "POST", body: form() } }, headers)).status).toBe(200);
      expect(await note()).toBe("forged");
      expect(reports).toEqual([{ ...told, what: "bareForm" }]);
      await shoot({ path: "transfer,transfer?batch=1", init: batchOf() }, headers);
      expect(reports.slice(1)).toEqual([{ ...told, what: "transfer,transfer" }]);
      expect(app.ran.transfers).toBe(2);
      expect((await shoot({ path: "transfer", init: { method: "POST", body: form() } }, {})).status).toBe(200);
      expect(reports).toHaveLength(2);
    });

    test("of hostile length or content make no line of a log", async () => {
      const { shoot } = await start({ guard: "report", report: undefined as never });
      const lines = vi.spyOn(console, "error").mockImplementation(() => undefined);
      cleanups.push(() => lines.mockRestore());
      const origin = `https://${"x".repeat(4_000)}`;
      const path = `transfer,${encodeURIComponent('\ncatnap: "all is well"\n')}?batch=1`;
      await shoot({ path, init: batchOf() }, { "sec-fetch-site": "cross-site", origin });
      expect(lines).toHaveBeenCalledOnce();
      const [line = ""] = lines.mock.calls[0] as string[];
      expect(line).not.toContain("\n");
      expect(line.length).toBeLessThan(800);
    });
  });
}

test("guard is there for what the app changes by itself: a Request, and Node's pair", async () => {
  const { sessions } = createApp();
  const verdict = (act: () => void) => {
    try {
      act();
      return "passed";
    } catch (error) {
      return SessionError.from(error)?.code;
    }
  };
  const request = (headers: Record<string, string>) =>
    new Request("https://shop.test/orders?token=x", { method: "POST", headers });
  expect(verdict(() => sessions.guard(request({ "sec-fetch-site": "cross-site" })))).toBe("CROSS_SITE");
  expect(verdict(() => sessions.guard(request({ "sec-fetch-site": "same-origin" })))).toBe("passed");

  const app = express();
  app.post("/orders", (req, res) => {
    res.send(verdict(() => sessions.guard({ req, res })));
  });
  const server = createServer(app).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  cleanups.push(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`;
  const post = async (headers: Record<string, string>) => (await fetch(url, { method: "POST", headers })).text();
  expect(await post({ origin: "https://evil.example" })).toBe("CROSS_SITE");
  expect(await post({})).toBe("passed");
});

test("a guard of another name is refused", () => {
  expect(() => createApp({ guard: "off" as never })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
});

test("over HTTP/2, where the host is :authority, a page of the server's own passes, and a sandboxed one does not", async () => {
  const { sessions } = createApp();
  const outcomes: string[] = [];
  const server = createServer2((request, response) => {
    try {
      sessions.guard({ req: request, res: response } as never);
      outcomes.push("passed");
    } catch (error) {
      outcomes.push(String(SessionError.from(error)?.code));
    }
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const client = connect2(`http://127.0.0.1:${port}`);
  for (const origin of [`http://127.0.0.1:${port}`, "null", "https://evil.example"]) {
    const stream = client.request({ ":method": "POST", ":path": "/", origin });
    stream.end();
    stream.resume();
    await once(stream, "close");
  }
  client.close();
  server.close();
  expect(outcomes).toEqual(["passed", "CROSS_SITE", "CROSS_SITE"]);
});

test("a request without a host is not of the opaque origin of a sandboxed page", () => {
  const { sessions } = createApp();
  const guard = () => sessions.guard({ headers: new Headers({ origin: "null" }) });
  expect(guard).toThrow(expect.objectContaining({ code: "CROSS_SITE" }));
});

test("lines of a log hold no control character, whoever has made the text", async () => {
  const lines = vi.spyOn(console, "error").mockImplementation(() => undefined);
  cleanups.push(() => lines.mockRestore());
  reportToStandardError({ kind: "background", error: new Error("one\ntwo\u001b[2Jthree\u009b1m\u2028") });
  expect(lines.mock.calls[0]?.[0]).toBe(
    "catnap: work in the background failed: one\\u000atwo\\u001b[2Jthree\\u009b1m\\u2028",
  );
  const refused = Object.assign(new Error("postgres://ann:secret@db"), { code: "ECONNREFUSED" });
  reportToStandardError({
    kind: "background",
    error: new Error("away", { cause: new Error("pool", { cause: refused }) }),
  });
  expect(lines.mock.calls[1]?.[0]).toBe("catnap: work in the background failed: away (ECONNREFUSED)");
});

describe("a visitor who comes from another site", () => {
  const navigation = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
  const arrive = (headers: Record<string, string>, options: Parameters<typeof createApp>[0] = {}, method = "GET") => {
    const { sessions } = createApp(options);
    cleanups.push(() => sessions.close());
    return codeOf(() =>
      sessions.run(new Request("https://shop.test/callback?code=1", { method, headers }), (session) => {
        session.login("ann");
        return new Response("welcome");
      }),
    );
  };

  test("by a link or a redirect may be logged in: a search engine, an OAuth callback, a magic link, a payment's return", async () => {
    expect(await arrive(navigation)).toBe("fine");
    expect(await arrive(navigation, {}, "HEAD")).toBe("fine");
    expect(await arrive({ ...navigation, "sec-fetch-site": "same-site" })).toBe("fine");
  });

  test("in a frame, by a picture, by a script or by a form that posts may not", async () => {
    for (const dest of ["iframe", "image", "empty", "embed"]) {
      expect(await arrive({ ...navigation, "sec-fetch-dest": dest })).toBe("CROSS_SITE");
    }
    expect(await arrive({ ...navigation, "sec-fetch-mode": "no-cors" })).toBe("CROSS_SITE");
    expect(await arrive({ ...navigation, origin: "https://evil.example" }, {}, "POST")).toBe("CROSS_SITE");
  });

  test("may not where the application says so", async () => {
    expect(await arrive(navigation, { navigation: "refuse" })).toBe("CROSS_SITE");
  });

  test("reads what there is, with hooks as well: a draft that holds nothing is never refused", async () => {
    const { sessions } = createApp({ hooks: { awake: () => undefined, sleep: () => undefined } });
    cleanups.push(() => sessions.close());
    const headers = { ...navigation, "sec-fetch-dest": "iframe" };
    const request = new Request("https://shop.test/", { headers });
    const page = await sessions.run(request, (session) => new Response(session.value("theme")));
    expect(await page.text()).toBe("light");
  });

  test("never navigates to a procedure, whatever the headers say", async () => {
    const { sessions } = createApp();
    cleanups.push(() => sessions.close());
    const info = { accept: null, type: "query", isBatchCall: false, calls: [], url: null };
    const req = new Request("https://shop.test/trpc/sneaky", { headers: navigation });
    const awake = sessions.wake({ req, resHeaders: new Headers(), info });
    expect(await codeOf(() => awake.run((session) => session.login("ann")))).toBe("CROSS_SITE");
  });

  test("is told what would help: the origin to list, or the method that wake was not told", async () => {
    const refusal = (headers: Record<string, string>, method?: string) => {
      const { sessions } = createApp();
      cleanups.push(() => sessions.close());
      const source = { headers: { host: "shop.test", ...headers }, setCookie: () => undefined };
      const awake = sessions.wake(method === undefined ? source : { ...source, method });
      return awake.run((session) => session.login("ann")).then(String, (error: Error) => error.message);
    };
    expect(await refusal({ origin: "https://pay.example" }, "POST")).toMatch(/list "https:\/\/pay.example" in/);
    expect(await refusal(navigation)).toMatch(/pass the method to wake/);
    expect(await refusal(navigation, "GET")).toBe("undefined");
    expect(await refusal({ ...navigation, origin: "null" }, "POST")).toMatch(/a page of your own/);
  });
});
