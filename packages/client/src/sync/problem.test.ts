import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { open, type Send } from "../../test/world.ts";

const warn = vi.spyOn(console, "warn");
beforeEach(() => {
  warn.mockReset();
});
afterEach(() => {
  vi.useRealTimers();
});

const url = "https://shop.test/trpc/session.sync";
const answer =
  (body: string, status: number): Send =>
  async () =>
    new Response(body, { status });

/** Changes and a pull, so that any way of answering is met. */
async function meet(send: Send) {
  const { browser } = open();
  let refuses = true;
  const { session } = browser.tab({
    through: (really) => (to, init) => (refuses ? send : really)(to, init),
  });
  await session.awake();
  session.setValue("note", "kept");
  await expect(session.sleep()).rejects.toMatchObject({ name: "SessionError" });
  const mend = () => {
    refuses = false;
  };
  return { session, mend };
}

test.each([
  ["a page that is not there", answer("<html>Not found</html>", 404), "http.url"],
  ["a page that takes no POST", answer("Cannot POST /trpc", 405), "http.url"],
  ["a page of whatever serves the rest", answer("<!doctype html><div id=root></div>", 200), "http.url"],
  ["JSON of another kind", answer("null", 200), "http.url"],
  ["a gateway's JSON", answer('{"error":"invalid_token"}', 401), "http.headers"],
  ["a gateway's page", answer("<html>Forbidden</html>", 403), "http.headers"],
  [
    "an error of a server without transformer",
    answer('{"error":{"message":"no","code":-32600,"data":{}}}', 400),
    "http.transformer",
  ],
  ["an answer of a server without transformer", answer('{"result":{"data":{"ok":true}}}', 200), "http.transformer"],
])(
  "%s is a problem that names its address and the option, told once, and over with the first success",
  async (_, send, option) => {
    const { session, mend } = await meet(send);
    const { problem, state, pending } = session.status();
    expect({ state, pending }).toEqual({ state: "offline", pending: 1 });
    expect(problem?.code).toBe("UNREACHABLE");
    for (const part of [url, option]) expect(problem?.message).toContain(part);
    await session.awake();
    await session.sleep().catch(() => undefined);
    expect(session.status().problem).toBe(problem);
    expect(warn.mock.calls).toEqual([[`catnap: ${problem?.message}`]]);
    mend();
    await session.sleep();
    expect(session.status()).toMatchObject({ state: "synced", pending: 0, problem: undefined });
  },
);

test("an answer of 401 or of another kind is tried again by itself, less and less often", async () => {
  for (const send of [answer('{"message":"log in"}', 401), answer("<html>Welcome to our café</html>", 200)]) {
    const { browser } = open();
    let asked = 0;
    const { session } = browser.tab({
      through: () => (to, init) => {
        asked++;
        return send(to, init);
      },
    });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    await session.awake();
    const before = asked;
    for (let i = 0; i < 70; i++) {
      await vi.advanceTimersByTimeAsync(1_000);
      for (let tick = 0; tick < 10; tick++) await new Promise((resolve) => setImmediate(resolve));
    }
    vi.useRealTimers();
    expect([5, 6, 7]).toContain(asked - before);
  }
});

test("a session's router at another path than the client asks is a problem that names the option", async () => {
  const { session } = open().browser.tab({ path: "sesion" });
  await session.awake();
  expect(session.status().problem?.message).toMatch(/trpc\/sesion\.sync.* path/);
});

test("a server with a transformer and a client without are a problem that names it", async () => {
  const { browser } = open();
  const { fetch } = browser.tab();
  const { session } = browser.tab({ http: { url: "https://shop.test/trpc", fetch: fetch as Send } });
  await session.awake();
  expect(session.status().problem?.message).toContain("http.transformer");
});

test("a server that hides its codes from browsers has its own words told all the same", async () => {
  const error = { message: "list your origin", code: -32_603, data: { httpStatus: 403 } };
  const { session } = await meet(answer(JSON.stringify({ error: { json: error } }), 403));
  const message = expect.stringContaining(`${url} answered 403: list your origin`);
  expect(session.status().problem).toEqual({ code: "UNREACHABLE", message });
});

test("what the server itself says has to be mended is a problem, in its own words", async () => {
  const body = JSON.stringify({
    error: {
      json: {
        message: "no",
        code: -32_603,
        data: { httpStatus: 403, session: { code: "CROSS_SITE", message: "list your origin" } },
      },
    },
  });
  const { session } = await meet(answer(body, 403));
  expect(session.status().problem).toEqual({ code: "CROSS_SITE", message: "list your origin" });
});

test.each([
  ["a lost network", () => Promise.reject(new TypeError("Failed to fetch"))],
  ["a server that is away", answer("<html>Bad gateway</html>", 502)],
  ["a server that has too much to do", answer("Slow down", 429)],
] as const)("%s is no problem", async (_, send) => {
  const { session } = await meet(send);
  expect(session.status()).toMatchObject({ state: "offline", problem: undefined });
  expect(warn).not.toHaveBeenCalled();
});

test("a change that was too large for any request is a problem until the next success", async () => {
  const { browser } = open();
  const { session } = browser.tab({
    through: (send) => async (to, init) =>
      String(init.body).length > 50_000 ? new Response("", { status: 413 }) : send(to, init),
  });
  await session.awake();
  session.setValue("note", "x".repeat(60_000));
  await session.sleep();
  expect(session.status().problem).toMatchObject({ code: "LIMIT_EXCEEDED", message: expect.stringContaining("413") });
  expect(warn).toHaveBeenCalledTimes(1);
  session.setValue("note", "x");
  await session.sleep();
  expect(session.status().problem).toBeUndefined();
});
