import { expect, test } from "vitest";
import { createNextSessions } from "../src/next.ts";
import { codeOf, foreign, start } from "./shop.ts";

/** What Next has of one browser's requests: the headers that came, and a jar that an action fills and a render cannot. */
function place(sent: Record<string, string> = {}) {
  const cookies = new Map<string, string>();
  const state = { maySet: true };
  return {
    cookies: async () => ({
      getAll: () => [...cookies].map(([name, value]) => ({ name, value })),
      set: (name: string, value: string, { maxAge }: { maxAge?: number }) => {
        if (!state.maySet) throw new Error("Cookies can only be modified in a Server Action or Route Handler");
        cookies.set(name, maxAge === 0 ? "" : value);
      },
    }),
    headers: async () => new Headers({ host: "shop.example", cookie: "sid=stale", ...sent }),
    jar: cookies,
    state,
  };
}

function next(sent?: Record<string, string>) {
  const { sessions, down } = start();
  const at = place(sent);
  return { ...createNextSessions(sessions, async () => at), ...at, down };
}

test("an action's changes and its cookie are there for the render after it, in the same request", async () => {
  const { withSession, readSession, snapshot, jar } = next();
  const add = withSession(async (session, note: string) => {
    session.setValue("note", note);
    return session.value("note");
  });
  expect(await add("mine")).toBe("mine");
  expect(jar.get("sid")).toMatch(/\./);
  expect(await readSession((session) => session.value("note"))).toBe("mine");
  expect((await readSession()).value("note")).toBe("mine");
  expect(JSON.stringify(await snapshot())).toContain("mine");
});

test("a redirect after a login commits it, and any other throw drops the changes", async () => {
  const { withSession, readSession } = next();
  const thrown = (digest: string) => Object.assign(new Error(digest), { digest });
  const login = withSession(async (session) => {
    session.login("ann");
    throw thrown("NEXT_REDIRECT;replace;/me;307;");
  });
  const fail = withSession(async (session) => {
    session.setValue("note", "lost");
    throw thrown("NEXT_HTTP_ERROR_FALLBACK;404");
  });
  await expect(login()).rejects.toThrow("NEXT_REDIRECT");
  await expect(fail()).rejects.toThrow("404");
  expect(await readSession((session) => [session.subject(), session.value("note", "none")])).toEqual(["ann", "none"]);
});

test("a route handler's response tells caches, and one of 500 or more drops the changes", async () => {
  const { withSession, readSession } = next();
  const POST = withSession(async (session, request: Request) => {
    session.setValue("note", await request.text());
    return new Response("answer", { status: session.value("note") === "fine" ? 200 : 502 });
  });
  const post = (body: string) => POST(new Request("https://shop.example/api", { method: "POST", body }));
  expect((await post("lost")).status).toBe(502);
  const answer = await post("fine");
  expect([answer.headers.get("cache-control"), answer.headers.get("vary")]).toEqual(["no-store", "Cookie"]);
  expect(await readSession((session) => session.value("note"))).toBe("fine");
});

test("a page of another site calls no action", async () => {
  const { withSession } = next(foreign);
  const called: string[] = [];
  expect(await codeOf(withSession(() => void called.push("called")))).toBe("CROSS_SITE");
  expect(called).toEqual([]);
});

test("where no cookie can be set a write fails with HEADERS_SENT, and in a component that reads with SESSION_CLOSED", async () => {
  const { withSession, readSession, state } = next();
  state.maySet = false;
  expect(await codeOf(withSession((session) => session.setValue("note", "lost")))).toBe("HEADERS_SENT");
  const session = await readSession();
  expect(await codeOf(() => session.setValue("note", "lost"))).toBe("SESSION_CLOSED");
  expect(() => session.setValue("note", "lost")).toThrow("in an action or a route handler, by withSession");
});

test("a route handler answers what the session refuses by its status", async () => {
  const { withSession, down, jar } = next();
  const POST = withSession(async (session, _request: Request) => {
    session.setValue("note", "lost");
    return new Response("fine");
  });
  down.write = true;
  const answer = await POST(new Request("https://shop.example/api", { method: "POST" }));
  expect([answer.status, answer.headers.get("retry-after"), jar.size]).toEqual([503, "1", 0]);
});

test("a store that is down fails with its own code and status", async () => {
  const { withSession, down, jar } = next();
  down.write = true;
  await expect(withSession((session) => session.setValue("note", "lost"))()).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    status: 503,
  });
  expect(jar.size).toBe(0);
});
