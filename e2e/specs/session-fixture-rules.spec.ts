import { counter, defineSession, isSessionError, type SessionError, type SessionErrorCode } from "catnap";
import { expect, sessionTest } from "catnap/playwright";
import { createSessions, memoryStore } from "catnap/server";
import { z } from "zod";

// What the fixture does before there is any page: no server runs here.

const definition = defineSession({
  shared: { cart: z.array(z.string()), purrs: counter(), large: z.bigint() },
  secret: { csrfSeed: z.string() },
});
const sessions = createSessions({ definition, store: memoryStore() });
const test = sessionTest({ sessions });
// One worker after the other: the sessions are closed once, after the last of these tests.
test.describe.configure({ mode: "default" });
test.afterAll(() => sessions.close());

/** What the call throws, which must be a `SessionError` with this code, and soon: not after the time-out of an expectation. */
async function refusal(code: SessionErrorCode, call: () => unknown): Promise<SessionError> {
  const before = performance.now();
  const error: unknown = await Promise.resolve()
    .then(call)
    .catch((thrown: unknown) => thrown);
  expect(performance.now() - before).toBeLessThan(2_000);
  if (!isSessionError(error, code)) throw new Error(`No SessionError ${code}`, { cause: error });
  return error;
}

for (const baseURL of [
  "http://localhost:4321",
  "http://127.0.0.1:4321",
  "http://[::1]:4321/shop/",
  "http://shop.localhost:4321",
  "https://shop.test",
]) {
  test.describe(baseURL, () => {
    test.use({ baseURL });
    test("the browser takes the default cookie, and it rotates and goes", async ({ session, context }) => {
      await session.seed({ cart: ["tea"] });
      const [seeded, ...none] = await context.cookies();
      expect(none).toEqual([]);
      const attributes = { path: "/", secure: true, httpOnly: true, sameSite: "Lax" };
      expect(seeded).toMatchObject({ name: "__Host-catnap", ...attributes });
      expect(seeded?.expires).toBeGreaterThan(Date.now() / 1000);
      await session.login("ann");
      const [rotated, ...others] = await context.cookies();
      expect(others).toEqual([]);
      expect(rotated?.value).not.toBe(seeded?.value);
      expect(await session.value("cart")).toEqual(["tea"]);
      await session.run((held) => held.invalidate());
      expect(await context.cookies()).toEqual([]);
      expect(await session.value("cart")).toBe(undefined);
    });
  });
}

test.describe("in development over plain HTTP", () => {
  const own = createSessions({ definition, store: memoryStore(), origins: ["http://localhost:4321"] });
  const ownTest = sessionTest({ sessions: own });
  ownTest.use({ baseURL: "http://localhost:4321" });
  ownTest.afterAll(() => own.close());
  ownTest("the cookie is the one of the server's port", async ({ session, context }) => {
    await session.seed({ cart: ["tea"] });
    expect(await context.cookies()).toMatchObject([{ name: "catnap-4321", secure: false }]);
    expect(await session.value("cart")).toEqual(["tea"]);
  });
});

const [host, path, sameSite] = ["www.shop.test", "/", "Lax"];
for (const { cookie, kept } of [
  { cookie: { path: "/shop" }, kept: { domain: host, path: "/shop", sameSite } },
  { cookie: { domain: "shop.test" }, kept: { domain: ".shop.test", path, sameSite } },
  { cookie: { sameSite: "strict" }, kept: { domain: host, path, sameSite: "Strict" } },
  { cookie: { sameSite: "none", partitioned: true }, kept: { domain: host, path, sameSite: "None" } },
  { cookie: { persistent: false, priority: "high" }, kept: { domain: host, path, sameSite, expires: -1 } },
] as const) {
  test.describe(JSON.stringify(cookie), () => {
    const own = createSessions({ definition, store: memoryStore(), cookie });
    const ownTest = sessionTest({ sessions: own });
    ownTest.use({ baseURL: `https://${host}` });
    ownTest.afterAll(() => own.close());
    ownTest("the browser takes the cookie as the server sends it", async ({ session, context }) => {
      await session.seed({ cart: ["tea"] });
      await session.login("ann");
      const cookies = await context.cookies();
      expect(cookies).toHaveLength(1);
      expect(cookies[0]).toMatchObject(kept);
      expect(await session.value("cart")).toEqual(["tea"]);
    });
  });
}

test.describe("plain http on another host", () => {
  test.use({ baseURL: "http://shop.test:4321" });
  test("is named as the cause, with the remedy", async ({ session }) => {
    const { message } = await refusal("INVALID_OPTION", () => session.login("ann"));
    expect(message).toContain(
      'baseURL is http://shop.test:4321, to which the browser does not send the cookie "__Host',
    );
    expect(message).toContain("Use https://, or http://localhost");
  });
});

test.describe("with a baseURL", () => {
  test.use({ baseURL: "http://localhost:4321" });

  test("a mistyped name is refused at once, with the names that there are", async ({ session }) => {
    const calls = [
      // @ts-expect-error a mistyped name
      () => session.seed({ cart: ["tea"], crat: ["tea"] }),
      // @ts-expect-error a mistyped name
      () => session.value("crat"),
      // @ts-expect-error a mistyped name
      () => expect(session).toHaveValue("crat", ["tea"]),
      // @ts-expect-error a mistyped name
      () => expect(session).not.toHaveValue("crat", ["tea"]),
      // @ts-expect-error a mistyped name
      () => expect.configure({ timeout: 60_000 })(session).toHaveValue("crat", ["tea"]),
    ];
    for (const call of calls) {
      const error = await refusal("UNKNOWN_KEY", call);
      expect(error.key).toBe("crat");
      expect(error.message).toContain("which has cart, purrs, large, csrfSeed");
    }
    expect(await session.value("cart"), "none of a refused seed is kept").toBe(undefined);
  });

  test("an invalid value, subject or argument is refused with the rule", async ({ session, context }) => {
    // @ts-expect-error a number where the cart has texts
    const value = await refusal("INVALID_VALUE", () => session.seed({ purrs: 1, cart: [1] }));
    expect(value).toMatchObject({ key: "cart", message: expect.stringContaining('"cart"') });
    const subject = await refusal("INVALID_OPTION", () => session.login(""));
    expect(subject.message).toContain("a string of 1 to 256 characters");
    // @ts-expect-error no values
    expect((await refusal("INVALID_OPTION", () => session.seed())).message).toContain("seed takes an object");
    // @ts-expect-error no function
    expect((await refusal("INVALID_OPTION", () => session.run("cart"))).message).toContain("run takes a function");
    expect(await context.cookies(), "nothing was begun").toEqual([]);
  });

  test("an expectation passes as soon as it is so, and fails only when its time is over", async ({ session }) => {
    await session.seed({ cart: ["tea"], large: 10n });
    const before = performance.now();
    await expect(session).toHaveValue("cart", ["tea"]);
    await expect(session).not.toHaveValue("cart", ["milk"]);
    await expect(session).not.toHaveValue("cart", undefined);
    expect(performance.now() - before).toBeLessThan(1_000);

    const changed = expect(session).not.toHaveValue("cart", ["tea"]);
    await session.seed({ cart: [] });
    await changed;

    const failures = [
      [() => expect(session).toHaveValue("large", 11n, { timeout: 300 }), 'holds 10n under "large", expected 11n'],
      [() => expect(session).not.toHaveValue("large", 10n, { timeout: 300 }), "expected anything but 10n"],
      [() => expect.configure({ timeout: 300 })(session).toHaveValue("purrs", 1), 'holds 0 under "purrs", expected 1'],
    ] as const;
    for (const [call, message] of failures) {
      const began = performance.now();
      const error = await call().then(() => null, String);
      expect(error).toContain(message);
      expect(performance.now() - began).toBeGreaterThan(90);
      expect(performance.now() - began).toBeLessThan(2_000);
    }
  });

  test("Playwright's own toHaveValue stays, with its options and its opposite", async ({ page }) => {
    await page.setContent('<input value="tea">');
    const field = page.getByRole("textbox");
    const before = performance.now();
    await expect(field).toHaveValue("tea");
    await expect(field).not.toHaveValue("milk");
    const error = await expect(field)
      .toHaveValue("milk", { timeout: 300 })
      .then(() => "", String);
    expect(error).toContain("milk");
    expect(performance.now() - before).toBeLessThan(2_000);
  });

  test("a browser whose session these sessions do not know is named as such", async ({ session, context }) => {
    const stranger = createSessions({ definition, store: memoryStore() });
    const answer = await stranger.run(new Request("http://localhost:4321"), (held) => {
      held.setValue("cart", ["milk"]);
      return new Response();
    });
    await stranger.close();
    const [name = "", value = ""] = (answer.headers.get("set-cookie") ?? "").split(/[=;]/);
    await context.addCookies([{ name, value, domain: "localhost", path: "/", secure: true }]);
    const calls = [
      () => session.value("cart"),
      () => session.seed({ cart: ["tea"] }),
      () => session.login("ann"),
      () => expect(session).toHaveValue("cart", undefined, { timeout: 300 }),
      () => expect(session).not.toHaveValue("cart", ["tea"], { timeout: 300 }),
    ];
    for (const call of calls) {
      const { message } = await refusal("SESSION_GONE", call);
      expect(message).toContain("Give sessionTest the server's own store");
    }
    expect(await session.run((held) => held.previous())).toBe("unknown");
    await context.clearCookies();
    await session.seed({ cart: ["tea"] });
  });
});

test("a config without baseURL, and a suite without sessions, are told what to write", async () => {
  // @ts-expect-error no sessions
  expect((await refusal("INVALID_OPTION", () => sessionTest())).message).toContain("sessionTest needs sessions");
  // @ts-expect-error none either
  expect((await refusal("INVALID_OPTION", () => sessionTest({ sessions: {} }))).message).toContain("createSessions");
});
