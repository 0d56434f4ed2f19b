import { Readable } from "node:stream";
import type { Sessions } from "@catnap/server";
import type { Session } from "@catnap/shared";
import fastify, { type FastifyInstance } from "fastify";
import { expect, test } from "vitest";
import { fastifySession } from "../src/fastify.ts";
import { atEnd, codeOf, foreign, type Shop, start, visitor } from "./shop.ts";

declare module "fastify" {
  interface FastifyRequest {
    session: Session<Shop>;
  }
}

/** An app of Fastify's on a port, with a session, and what it logs. */
async function serve(build: (app: FastifyInstance, sessions: Sessions<Shop>) => void) {
  const { sessions, down } = start();
  const logged: string[] = [];
  const app = fastify({ logger: { level: "error", stream: { write: (line: string) => void logged.push(line) } } });
  app.register(fastifySession, { sessions });
  app.get("/note", async (request) => request.session.value("note", "none"));
  build(app, sessions);
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  atEnd(() => app.close());
  return { ...visitor(url), down, logged };
}

test("what a handler writes is read by the next request, under the cookie that its answer brought", async () => {
  const { send, post, read, jar } = await serve((app) => {
    app.post("/note", async (request) => {
      request.session.setValue("note", "mine");
      return { fine: true };
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
    app.post("/visit", (request, reply) => {
      reply.send(String(request.session.update("visits", (n) => n + 1)));
    });
    app.post("/login", async (request, reply) => {
      request.session.login("ann");
      return reply.redirect("/me");
    });
    app.get("/me", async ({ session }) => `${session.subject()} ${session.value("visits")}`);
  });
  await post("/visit");
  const before = jar.cookie;
  const answer = await post("/login");
  expect([answer.status, answer.headers.get("location")]).toEqual([302, "/me"]);
  expect(jar.cookie).not.toBe(before);
  expect(await read("/me")).toBe("ann 1");
});

test("a handler that fails changes nothing, whatever the status and whether or not it has answered", async () => {
  const { post, read, logged } = await serve((app) => {
    app.post("/note", async ({ session }) => session.setValue("note", "mine"));
    app.post("/throw", async ({ session }) => {
      session.setValue("note", "lost");
      throw new Error("the handler failed");
    });
    app.post("/refuse", async ({ session }) => {
      session.setValue("note", "lost");
      throw Object.assign(new Error("refused"), { statusCode: 422 });
    });
    app.post("/unwell", async ({ session }, reply) => {
      session.setValue("note", "lost");
      return reply.code(502).send("unwell");
    });
    app.post("/answer-then-throw", async ({ session }, reply) => {
      session.setValue("note", "lost");
      reply.send("fine");
      throw new Error("the handler failed");
    });
  });
  for (const [path, status] of [
    ["/throw", 500],
    ["/refuse", 422],
    ["/unwell", 502],
  ] as const) {
    const answer = await post(path);
    expect([answer.status, answer.headers.getSetCookie()]).toEqual([status, []]);
    expect(await read("/note")).toBe("none");
  }
  await post("/note");
  const answer = await post("/answer-then-throw");
  expect([answer.status, await read("/note")]).toEqual([500, "mine"]);
  expect(logged.join()).not.toContain("Reply was already sent");
});

test("a store that is down is a 503 with Retry-After, whether it is read or written", async () => {
  const { post, send, down } = await serve((app) => {
    app.post("/note", async ({ session }, reply) => {
      session.setValue("note", "lost");
      return reply.redirect("/elsewhere");
    });
  });
  down.write = true;
  const written = await post("/note");
  expect([written.status, written.headers.get("retry-after"), written.headers.getSetCookie()]).toEqual([503, "1", []]);
  expect(written.headers.get("location")).toBeNull();
  expect(await written.json()).toMatchObject({ code: "STORE_UNAVAILABLE", statusCode: 503 });
  down.write = false;
  await post("/note");
  down.read = true;
  const loaded = await send("/note");
  expect([loaded.status, loaded.headers.get("retry-after")]).toEqual([503, "1"]);
});

test("a page of another site is refused what it would change, and nothing else", async () => {
  const { post } = await serve((app) => {
    app.post("/note", async ({ session }) => {
      session.setValue("note", "theirs");
      return "fine";
    });
    app.post("/hook", async ({ session }) => `seen ${session.value("note", "none")}`);
  });
  const refused = await post("/note", foreign);
  expect([refused.status, refused.headers.getSetCookie()]).toEqual([403, []]);
  expect(await (await post("/hook", foreign)).text()).toBe("seen none");
});

test("a stream arrives whole, with what was written before it began; a write after that throws", async () => {
  let late = "";
  const { send, read } = await serve((app) => {
    app.get("/stream", async ({ session }, reply) => {
      session.setValue("note", "piped");
      const parts = async function* () {
        yield "first";
        late = await codeOf(() => session.setValue("note", "late"));
        yield "last";
      };
      return reply.send(Readable.from(parts()));
    });
  });
  expect(await (await send("/stream")).text()).toBe("firstlast");
  expect(late).toBe("SESSION_CLOSED");
  expect(await read("/note")).toBe("piped");
});

test("a hijacked reply's changes are committed when it is over, and the log is told when it had to bring the cookie", async () => {
  const { post, read, logged } = await serve((app) => {
    app.post("/note", async ({ session }) => session.setValue("note", "mine"));
    app.post("/hijack", ({ session }, reply) => {
      session.setValue("note", "hijacked");
      reply.hijack();
      reply.raw.end("raw");
    });
  });
  await post("/hijack");
  await expect.poll(() => logged.join()).toContain("HEADERS_SENT");
  await post("/note");
  expect(await (await post("/hijack")).text()).toBe("raw");
  await expect.poll(() => read("/note")).toBe("hijacked");
  expect(logged).toHaveLength(1);
});

test("the snapshot that a handler takes has what it has changed", async () => {
  const { post } = await serve((app, sessions) => {
    app.post("/page", async (req, res) => {
      req.session.setValue("note", "mine");
      return sessions.wake({ req, res }).snapshot();
    });
  });
  expect(await (await post("/page")).json()).toMatchObject({ entries: { note: { value: '"mine"' } } });
});
