import type { AddressInfo } from "node:net";
import type { Sessions } from "@catnap/server";
import { SessionError } from "@catnap/shared";
import { serve as listen } from "@hono/node-server";
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { expect, test } from "vitest";
import { honoSession, type SessionVariables } from "../src/hono.ts";
import { atEnd, codeOf, foreign, type Shop, start, visitor } from "./shop.ts";

type App = Hono<{ Variables: SessionVariables<Shop> }>;

/** An app of Hono's on a port, with a session. */
async function serve(build: (app: App, sessions: Sessions<Shop>) => void) {
  const { sessions, down } = start();
  const app: App = new Hono();
  app.use(honoSession(sessions));
  app.get("/note", (c) => c.text(c.var.session.value("note", "none")));
  build(app, sessions);
  const server = await new Promise<ReturnType<typeof listen>>((resolve) => {
    const started = listen({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, () => resolve(started));
  });
  atEnd(() => server.close());
  return { ...visitor(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), down };
}

test("what a handler writes is read by the next request, under the cookie that its answer brought", async () => {
  const { send, post, read, jar } = await serve((app) => {
    app.post("/note", (c) => {
      c.var.session.setValue("note", "mine");
      c.header("set-cookie", "other=1", { append: true });
      return c.json({ fine: true });
    });
  });
  const answer = await post("/note");
  expect(await answer.json()).toEqual({ fine: true });
  expect(answer.headers.getSetCookie().map((each) => each.split("=")[0])).toEqual(["other", "sid"]);
  expect(jar.cookie).toMatch(/^sid=/);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(answer.headers.get("vary")).toContain("Cookie");
  expect(await read("/note")).toBe("mine");
  expect((await send("/note")).headers.getSetCookie()).toEqual([]);
});

test("a login rotates the token, and the redirect after it commits, returned or thrown", async () => {
  const { post, read, jar } = await serve((app) => {
    app.post("/visit", (c) => c.text(String(c.var.session.update("visits", (n) => n + 1))));
    app.post("/login", (c) => {
      c.get("session").login("ann");
      return c.redirect("/me");
    });
    app.post("/away", (c) => {
      c.var.session.setValue("note", "away");
      throw new HTTPException(302, { res: new Response(null, { status: 302, headers: { location: "/me" } }) });
    });
    app.get("/me", ({ var: { session } }) =>
      Promise.resolve(new Response(`${session.subject()} ${session.value("visits")}`)),
    );
  });
  await post("/visit");
  const before = jar.cookie;
  const answer = await post("/login");
  expect([answer.status, answer.headers.get("location")]).toEqual([302, "/me"]);
  expect(jar.cookie).not.toBe(before);
  expect(await read("/me")).toBe("ann 1");
  expect((await post("/away")).status).toBe(302);
  expect(await read("/note")).toBe("away");
});

test("a handler that fails changes nothing, whatever the status", async () => {
  const { post, read } = await serve((app) => {
    app.onError((error, c) => c.text(error.message, error.message === "refused" ? 422 : 500));
    app.post("/throw", (c) => {
      c.var.session.setValue("note", "lost");
      throw new Error("the handler failed");
    });
    app.post("/refuse", (c) => {
      c.var.session.setValue("note", "lost");
      throw new Error("refused");
    });
    app.post("/unwell", (c) => {
      c.var.session.setValue("note", "lost");
      return c.text("unwell", 502);
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
});

test("a store that is down is a 503 with Retry-After, whether it is read or written", async () => {
  const { post, send, down } = await serve((app) => {
    app.post("/note", (c) => {
      c.var.session.setValue("note", "lost");
      return c.text("fine");
    });
  });
  down.write = true;
  const written = await post("/note");
  expect([written.status, written.headers.get("retry-after"), written.headers.getSetCookie()]).toEqual([503, "1", []]);
  expect(await written.text()).toBe("The store is down: start it");
  down.write = false;
  await post("/note");
  down.read = true;
  const loaded = await send("/note");
  expect([loaded.status, loaded.headers.get("retry-after")]).toEqual([503, "1"]);
});

test("what the session refuses in a handler has its own status", async () => {
  const { post } = await serve((app) => {
    app.post("/note", (c) => {
      c.var.session.setValue("note", 1 as unknown as string);
      return c.text("fine");
    });
  });
  expect((await post("/note")).status).toBe(400);
  expect(new SessionError("NOT_FRESH", "Log in again").status).toBe(401);
});

test("a page of another site is refused what it would change, and nothing else", async () => {
  const { post } = await serve((app) => {
    app.post("/note", (c) => {
      c.var.session.setValue("note", "theirs");
      return c.text("fine");
    });
    app.post("/hook", (c) => c.text(`seen ${c.var.session.value("note", "none")}`));
  });
  const refused = await post("/note", foreign);
  expect([refused.status, refused.headers.getSetCookie()]).toEqual([403, []]);
  expect(await (await post("/hook", foreign)).text()).toBe("seen none");
});

test("a stream arrives whole, with what was written before it began; a write after that throws", async () => {
  let late = "";
  const { send, read } = await serve((app) => {
    app.get("/stream", (c) => {
      const { session } = c.var;
      session.setValue("note", "piped");
      let part = 0;
      const body = new ReadableStream({
        async pull(controller) {
          if (part++ === 0) return controller.enqueue(new TextEncoder().encode("first"));
          await new Promise((resolve) => setTimeout(resolve, 20));
          late = await codeOf(() => session.setValue("note", "late"));
          controller.enqueue(new TextEncoder().encode("last"));
          controller.close();
        },
      });
      return c.body(body);
    });
  });
  expect(await (await send("/stream")).text()).toBe("firstlast");
  expect(late).toBe("SESSION_CLOSED");
  expect(await read("/note")).toBe("piped");
});

test("the snapshot that a handler takes has what it has changed, and is read from the store once", async () => {
  const { post, read, down } = await serve((app, sessions) => {
    app.post("/page", async (c) => {
      c.var.session.setValue("note", "mine");
      return c.json(await sessions.wake(c.req.raw).snapshot());
    });
    app.get("/page", async (c) => {
      down.read = true;
      const { entries } = await sessions.wake(c.req.raw).snapshot();
      down.read = false;
      return c.text(entries.note?.value ?? "none");
    });
  });
  expect(await (await post("/page")).json()).toMatchObject({ entries: { note: { value: '"mine"' } } });
  expect(await read("/page")).toBe('"mine"');
});

test("what works on the session within the middleware leaves the snapshot to the middleware's", async () => {
  const { post } = await serve((app, sessions) => {
    app.post("/page", async (c) => {
      c.var.session.setValue("note", "mine");
      await sessions.wake(c.req.raw).run((session) => session.update("visits", (n) => n + 1));
      return c.json(await sessions.wake(c.req.raw).snapshot());
    });
  });
  expect(await (await post("/page")).json()).toMatchObject({ entries: { note: { value: '"mine"' } } });
});
