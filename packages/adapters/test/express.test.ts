import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { createGzip, gunzipSync } from "node:zlib";
import type { Sessions } from "@catnap/server";
import type { Session } from "@catnap/shared";
import express, {
  type Application,
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
} from "express";
import { expect, test } from "vitest";
import { expressSession } from "../src/express.ts";
import { atEnd, codeOf, foreign, type Shop, start, visitor } from "./shop.ts";

declare global {
  namespace Express {
    interface Request {
      session: Session<Shop>;
    }
  }
}

/** An app of Express's on a port, with a session, and what tells of it. */
async function serve(
  build: (app: Application, sessions: Sessions<Shop>) => void,
  before: RequestHandler[] = [],
  after: RequestHandler[] = [],
) {
  const { sessions, down } = start();
  const failures: unknown[] = [];
  const app = express();
  app.disable("x-powered-by");
  for (const one of before) app.use(one);
  app.use(expressSession(sessions));
  for (const one of after) app.use(one);
  app.get("/note", (req, res) => void res.send(req.session.value("note", "none")));
  build(app, sessions);
  app.use((error: unknown, _req: Request, _res: Response, next: NextFunction) => {
    failures.push(error);
    next(error);
  });
  app.set("env", "test"); // Express's own handler prints no stack then
  const server = createServer(app).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  atEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { ...visitor(url), url, down, failures, sessions };
}

test("what a handler writes is read by the next request, under the cookie that its answer brought", async () => {
  const { send, post, read, jar } = await serve((app) => {
    app.post("/note", (req, res) => {
      req.session.setValue("note", "mine");
      res.json({ fine: true });
    });
  });
  const answer = await post("/note");
  expect(await answer.json()).toEqual({ fine: true });
  expect(jar.cookie).toMatch(/^sid=/);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(answer.headers.get("vary")).toContain("Cookie");
  expect(await read("/note")).toBe("mine");
  expect((await send("/note")).headers.getSetCookie()).toEqual([]);
});

test("a login rotates the token, and the redirect after it commits", async () => {
  const { post, read, jar } = await serve((app) => {
    app.post("/visit", (req, res) => void res.send(String(req.session.update("visits", (n) => n + 1))));
    app.post("/login", (req, res) => {
      req.session.login("ann");
      res.redirect("/me");
    });
    app.get("/me", (req, res) => void res.send(`${req.session.subject()} ${req.session.value("visits")}`));
  });
  await post("/visit");
  const before = jar.cookie;
  const answer = await post("/login");
  expect([answer.status, answer.headers.get("location")]).toEqual([302, "/me"]);
  expect(jar.cookie).not.toBe(before);
  expect(await read("/me")).toBe("ann 1");
});

test("a handler that throws changes nothing, before or after it has answered", async () => {
  const { post, read, failures } = await serve((app) => {
    app.post("/throw", (req) => {
      req.session.setValue("note", "lost");
      throw new Error("the handler failed");
    });
    app.post("/answer-then-throw", async (req, res) => {
      req.session.setValue("note", "lost");
      res.send("fine");
      throw new Error("the handler failed");
    });
    app.post("/unwell", (req, res) => {
      req.session.setValue("note", "lost");
      res.status(502).send("unwell");
    });
  });
  for (const [path, status] of [
    ["/throw", 500],
    ["/answer-then-throw", 500],
    ["/unwell", 502],
  ] as const) {
    const answer = await post(path);
    expect([answer.status, answer.headers.getSetCookie()]).toEqual([status, []]);
    expect(await read("/note")).toBe("none");
  }
  expect(failures).toHaveLength(2);
});

test("a store that is down is a 503 with Retry-After, whether it is read or written", async () => {
  const { post, send, down, failures, read } = await serve((app) => {
    app.post("/note", (req, res) => {
      req.session.setValue("note", "lost");
      res.set("content-type", "text/html").send("fine");
    });
  });
  down.write = true;
  const written = await post("/note");
  expect([written.status, written.headers.get("retry-after"), written.headers.getSetCookie()]).toEqual([503, "1", []]);
  expect(await written.text()).not.toContain("fine");
  down.write = false;
  await post("/note");
  expect(await read("/note")).toBe("lost");
  down.read = true;
  const loaded = await send("/note");
  expect([loaded.status, loaded.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(failures).toHaveLength(2);
  expect(await codeOf(() => Promise.reject(failures[0]))).toBe("STORE_UNAVAILABLE");
});

test("a page of another site is refused what it would change, and nothing else", async () => {
  const { post, read } = await serve((app) => {
    app.post("/note", (req, res) => {
      req.session.setValue("note", "theirs");
      res.send("fine");
    });
    app.post("/hook", (req, res) => void res.send(`seen ${req.session.value("note", "none")}`));
  });
  const refused = await post("/note", foreign);
  expect([refused.status, refused.headers.getSetCookie()]).toEqual([403, []]);
  expect(await (await post("/hook", foreign)).text()).toBe("seen none");
  await post("/note");
  expect(await read("/note")).toBe("theirs");
});

test("streams, files, HEAD and 304 arrive whole, with what was written before they began", async () => {
  const folder = mkdtempSync(join(tmpdir(), "catnap-"));
  atEnd(() => rmSync(folder, { recursive: true }));
  const text = "0123456789".repeat(100_000);
  writeFileSync(join(folder, "file.txt"), text);
  const { send, read } = await serve((app) => {
    app.get("/pipe", (req, res) => {
      req.session.setValue("note", "piped");
      Readable.from(text.match(/.{1,50000}/g) ?? []).pipe(res);
    });
    app.get("/file", (req, res) => {
      req.session.setValue("note", "sent");
      res.sendFile("file.txt", { root: folder });
    });
    app.get("/page", (req, res) => {
      req.session.update("visits", (n) => n + 1);
      res.send("page");
    });
    app.get("/visits", (req, res) => void res.send(String(req.session.value("visits", 0))));
  });
  for (const [path, note] of [
    ["/pipe", "piped"],
    ["/file", "sent"],
  ]) {
    expect(await (await send(path as string)).text()).toBe(text);
    expect(await read("/note")).toBe(note);
  }
  expect((await send("/page", { method: "HEAD" })).status).toBe(200);
  const etag = (await send("/page")).headers.get("etag") ?? "";
  expect((await send("/page", { headers: { "if-none-match": etag, "cache-control": "max-age=0" } })).status).toBe(304);
  expect(await read("/visits")).toBe("3");
});

/** What Express's `compression` does: wraps the response's own methods. */
const compress: RequestHandler = (_req, res, next) => {
  const { write, end } = res;
  let gzip: ReturnType<typeof createGzip> | undefined;
  const into = () => {
    if (gzip) return gzip;
    res.setHeader("content-encoding", "gzip");
    res.removeHeader("content-length");
    gzip = createGzip();
    gzip.on("data", (chunk) => void (write.call(res, chunk, "utf8") || gzip?.pause()));
    gzip.on("end", () => void end.call(res, undefined, "utf8"));
    res.on("drain", () => gzip?.resume());
    return gzip;
  };
  res.write = (chunk: unknown) => into().write(chunk);
  res.end = (chunk?: unknown) => {
    if (chunk) into().end(chunk);
    else into().end();
    return res;
  };
  next();
};

for (const [where, before, after] of [
  ["before", [compress], []],
  ["after", [], [compress]],
] as const) {
  test(`a middleware that compresses may come ${where} it`, async () => {
    const text = "0123456789".repeat(100_000);
    const { url, read, jar } = await serve(
      (app) => {
        app.get("/text", (req, res) => {
          req.session.setValue("note", "kept");
          res.send(text);
        });
      },
      [...before],
      [...after],
    );
    const raw = await new Promise<Buffer>((resolve, reject) => {
      const chunks: Buffer[] = [];
      const { hostname, port } = new URL(url);
      const socket = connect(Number(port), hostname, () => {
        socket.write(`GET /text HTTP/1.0\r\nhost: ${hostname}\r\n\r\n`);
      });
      socket.on("data", (chunk) => chunks.push(chunk));
      socket.on("end", () => resolve(Buffer.concat(chunks)));
      socket.on("error", reject);
    });
    const head = raw.subarray(0, raw.indexOf("\r\n\r\n")).toString();
    expect(head).toContain("sid=");
    expect(head.match(/content-encoding/gi)).toHaveLength(1);
    expect(gunzipSync(raw.subarray(raw.indexOf("\r\n\r\n") + 4)).toString()).toBe(text);
    jar.cookie = /sid=[^;]+/.exec(head)?.[0] ?? "";
    expect(await read("/note")).toBe("kept");
  });
}

test("the session is closed after the answer", async () => {
  let late: Promise<string> | undefined;
  const { post } = await serve((app) => {
    app.post("/late", (req, res) => {
      late = new Promise((resolve) => res.once("close", resolve)).then(() =>
        codeOf(() => req.session.setValue("note", "late")),
      );
      res.send("fine");
    });
  });
  await post("/late");
  expect(await late).toBe("SESSION_CLOSED");
});

test("what a handler changes for a visitor who leaves is kept when it answers all the same", async () => {
  let [enter, leave] = [() => {}, () => {}];
  const entered = new Promise<void>((resolve) => (enter = resolve));
  const left = new Promise<void>((resolve) => (leave = resolve));
  let over: Promise<void> | undefined;
  const { post, send, read, failures } = await serve((app) => {
    app.post("/note", (req, res) => {
      req.session.setValue("note", "first");
      res.send("fine");
    });
    app.post("/slow", async (req, res) => {
      over = new Promise((resolve) => setImmediate(async () => resolve(await left)));
      res.once("close", leave);
      enter();
      await left;
      req.session.setValue("note", "late");
      res.send("nobody listens");
    });
  });
  await post("/note");
  const quit = new AbortController();
  const slow = send("/slow", { method: "POST", signal: quit.signal });
  await entered;
  quit.abort();
  await expect(slow).rejects.toThrow();
  await over;
  await expect.poll(() => read("/note")).toBe("late");
  expect(failures).toEqual([]);
});

test("the snapshot that a handler takes has what it has changed", async () => {
  const { post } = await serve((app, sessions) => {
    app.post("/page", async (req, res) => {
      req.session.setValue("note", "mine");
      res.json(await sessions.wake({ req, res }).snapshot());
    });
  });
  expect(await (await post("/page")).json()).toMatchObject({ entries: { note: { value: '"mine"' } } });
});
