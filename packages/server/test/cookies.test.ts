import { defineSession } from "@catnap/shared";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { createSessions, type Sessions } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { adapters, createApp, createBrowser } from "./app.ts";
import { Jar } from "./jar.ts";
import { codeOf, start } from "./plain.ts";
import { home, note, site, write } from "./site.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe("the cookie of a browser that is closed", () => {
  test("stays by default, and goes where cookie.persistent is false", async () => {
    for (const persistent of [true, false]) {
      const { deploy, browser } = await site();
      deploy({ persistent });
      const { jar, visit } = browser();
      await visit(write("n"));
      jar.close();
      expect(await visit(note)).toBe(persistent ? "n" : null);
    }
  });

  test.each([false, true])(
    "is as the session says, against the settings, and through every later token: %s",
    async (own) => {
      const { deploy, browser, advance } = await site();
      deploy({ persistent: !own });
      const { jar, visit, setCookies } = browser();
      await visit(async (session) => {
        session.login("ann");
        session.setPersistent(own);
      });
      const lasts = () => setCookies().map((header) => header.includes("Max-Age"));
      expect(lasts()).toEqual([own]);
      advance(90_000);
      await visit(note);
      expect(lasts()).toEqual([own]);
      await visit((session) => session.rotate());
      expect(lasts()).toEqual([own]);
      jar.close();
      expect(await visit((session) => session.subject())).toBe(own ? "ann" : null);
    },
  );

  test("is changed with a new token in the answer, once", async () => {
    const { deploy, browser } = await site();
    deploy({});
    const { visit, setCookies } = browser();
    await visit(write("n"));
    await visit((session) => session.setPersistent(false));
    expect(setCookies()).toEqual([expect.not.stringContaining("Max-Age")]);
    await visit((session) => session.setPersistent(false));
    expect(setCookies()).toEqual([]);
    await visit((session) => session.setPersistent(true));
    expect(setCookies()).toEqual([expect.stringContaining("Max-Age")]);
    expect(await visit(note)).toBe("n");
  });

  test("does not keep a login from ending every other token", async () => {
    const { sessions, visitor } = start({ tickets: true });
    const { visit, state } = visitor();
    await visit((session) => session.setValue("note", "n"));
    const stranger = visitor();
    await stranger.visit(note, { path: await visit((session) => session.sessionEncode("/x")) });
    const call = async (cookie: string) => {
      const awake = sessions.wake(new Request(home, { headers: { cookie } }));
      await awake.run((session) => {
        session.login("ann");
        session.setPersistent(false);
      });
      return awake.headers;
    };
    await call(state.cookie);
    expect(await stranger.visit(note)).toBeNull();
  });

  test("is not said in vain: setPersistent throws where no cookie can be set, for a rotated token, and for anything but a boolean", async () => {
    const { sessions, visitor, clock } = start();
    const { visit, state } = visitor();
    await visit((session) => session.setValue("note", "n"));
    const old = state.cookie;
    const headers = new Headers({ cookie: old });
    expect(await codeOf(() => sessions.wake({ headers }).run((session) => session.setPersistent(false)))).toBe(
      "HEADERS_SENT",
    );
    expect(await codeOf(() => visit((session) => session.setPersistent("no" as never)))).toBe("INVALID_OPTION");
    await visit((session) => session.rotate());
    clock.advance(1);
    await visit(note);
    state.cookie = old;
    expect(await codeOf(() => visit((session) => session.setPersistent(false)))).toBe("TOKEN_ROTATED");
  });

  test("setPersistent that another request's rotation overtakes throws, and writes nothing", async () => {
    const { visitor } = start();
    const { visit, state, request } = visitor();
    await visit((session) => session.setValue("note", "n"));
    const old = state.cookie;
    const late = visit(
      async (session) => {
        await visit((other) => other.rotate(), { headers: { cookie: old } });
        session.setPersistent(false);
        session.setValue("note", "m");
      },
      { headers: { cookie: old } },
    );
    expect(await codeOf(() => late)).toBe("TOKEN_ROTATED");
    expect(request().headers.get("cookie")).not.toBe(old);
    expect(await visit(note)).toBe("n");
  });
});

test("partitioned and priority go with the cookie, and with the one that takes it back", async () => {
  const { deploy, browser } = await site();
  deploy({ sameSite: "none", partitioned: true, priority: "high" });
  const { jar, visit, setCookies } = browser();
  await visit(write("n"));
  expect(setCookies()).toEqual([expect.stringMatching(/; Secure; Partitioned; Priority=High; SameSite=None$/)]);
  await visit((session) => session.invalidate());
  expect(setCookies()).toEqual([expect.stringMatching(/Max-Age=0.*Partitioned/)]);
  expect(jar.scopes).toEqual([]);
});

describe("a logout with a cookie whose session is dead", () => {
  test("takes the cookie back, former ones too, and clears what the settings say", async () => {
    const cookie = { name: "sid", former: [{ name: "old" }] };
    const { sessions, visitor } = start({ cookie, clearSiteData: ["cache"] });
    const { visit, state } = visitor();
    await visit((session) => session.setValue("note", "n"));
    await visit(async (session) => void (await sessions.revoke(session.identifier()))).catch(() => undefined);
    const headers = { cookie: `${state.cookie}; old=nonsense` };
    const answer = await sessions.run(new Request(home, { headers }), async (session) => {
      await session.invalidate();
      return new Response();
    });
    expect(answer.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^old=; Max-Age=0/),
      expect.stringMatching(/^sid=; Max-Age=0/),
    ]);
    expect(answer.headers.get("clear-site-data")).toBe('"cache"');
  });

  for (const [name, mount] of Object.entries(adapters)) {
    test(`takes it back over ${name}, for the application and for the page, and nothing from who has none`, async () => {
      const app = createApp();
      const server = await mount(app);
      cleanups.push(() => app.sessions.close());
      cleanups.push(() => server.close());
      for (const logout of [
        ({ api }: ReturnType<typeof createBrowser>) => api.logout.mutate({}),
        ({ api }: ReturnType<typeof createBrowser>, identifier: string) =>
          api.session.invalidate.mutate({ identifier }),
      ]) {
        const browser = createBrowser(server.url);
        await browser.api.login.mutate({ subject: "ann" });
        const { identifier } = await browser.api.facts.query();
        await app.sessions.revoke(identifier);
        await browser.api.session.invalidate.mutate({ identifier: "x".repeat(22) });
        expect(browser.jar.size).toBe(1);
        await logout(browser, identifier);
        expect(browser.jar.size).toBe(0);
        await logout(browser, identifier);
        expect(browser.seen.at(-1)?.setCookie).toEqual([]);
      }
    });
  }
});

describe("over plain HTTP in development", () => {
  const definition = defineSession({ name: "blog", shared: { note: z.string() } });
  const plain = (options: object) =>
    createSessions({ definition, store: memoryStore(), sweepInterval: 0, ...options } as never) as Sessions<
      typeof definition
    >;
  const lan = { origins: ["http://192.168.0.7:5173", "http://dev.example"], cookie: { secure: false } };

  test("two apps on two ports of one machine keep a cookie each", async () => {
    const jar = new Jar();
    const sessions = plain({ origins: ["http://localhost:3000"] });
    const visit = async (url: string, text?: string) => {
      const answer = await sessions.run(new Request(url, { headers: { cookie: jar.header(url) } }), (session) => {
        if (text !== undefined) session.setValue("note", text);
        return new Response(session.value("note", "nothing"));
      });
      for (const header of answer.headers.getSetCookie()) expect(jar.take(url, header)).toBe(true);
      return answer.text();
    };
    await visit("http://localhost:3000/", "one");
    expect(await visit("http://localhost:4000/")).toBe("nothing");
    await visit("http://localhost:4000/", "two");
    await visit("http://[::1]:4000/", "six");
    await visit("http://localhost/", "none");
    expect(await visit("http://localhost:3000/")).toBe("one");
    expect(jar.scopes).toEqual([
      "blog-3000 localhost /",
      "blog-4000 localhost /",
      "blog-4000 [::1] /",
      "blog localhost /",
    ]);
    expect(sessions.policy().cookie).toMatchObject({ name: "blog", portInName: true });
  });

  test.each([
    { origins: ["http://localhost:3000"], cookie: { name: "sid" } },
    { origins: ["http://localhost:3000"], cookie: { secure: true } },
    {},
  ])("a name that was given, or a secure cookie, has no port: %j", async (options) => {
    const awake = plain(options).wake(new Request("http://localhost:3000/"));
    await awake.run((session) => session.setValue("note", "n"));
    expect(awake.headers.get("set-cookie")).toMatch(/^(sid|__Host-blog)=/);
  });

  test("any listed host is served, with one loud line a process; none for this machine", async () => {
    vi.resetModules();
    const fresh = await import("../src/index.ts");
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    cleanups.push(() => warn.mockRestore());
    const make = (options: object) => fresh.createSessions({ definition, store: memoryStore(), ...options } as never);
    cleanups.push(() => one.close());
    make({ origins: ["http://localhost:3000"], cookie: { secure: false } });
    expect(warn).not.toHaveBeenCalled();
    const one = make(lan);
    make(lan);
    expect(warn.mock.calls).toEqual([[expect.stringContaining("COOKIE.SECURE IS FALSE for http://192.168.0.7:5173")]]);
    const awake = one.wake(new Request("http://192.168.0.7:5173/")) as ReturnType<Sessions<typeof definition>["wake"]>;
    await awake.run((session) => session.setValue("note", "n"));
    expect(new Jar().take("http://192.168.0.7:5173/", awake.headers.get("set-cookie") ?? "")).toBe(true);
  });

  test("production has no insecure cookie, on this machine either", () => {
    vi.stubEnv("NODE_ENV", "production");
    expect(() => plain(lan)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    expect(() => plain({ origins: ["http://localhost:3000"], cookie: { secure: false } })).toThrow(
      /NODE_ENV is production/,
    );
    expect(plain({ origins: ["http://localhost:3000"] }).policy().cookie).toMatchObject({
      name: "__Host-blog",
      secure: true,
    });
  });
});

test("the policy tells of everything that was set", () => {
  const cookie = { name: "sid", persistent: false, priority: "low", sameSite: "none", partitioned: true } as const;
  const { sessions } = start({ cookie: { ...cookie, former: [{}, { domain: "shop.example", path: "/a" }] } });
  const former = { name: "sid", portInName: false, path: "/", domain: null, partitioned: false };
  expect(sessions.policy().cookie).toMatchObject({
    ...cookie,
    former: [former, { ...former, path: "/a", domain: "shop.example" }],
  });
});
