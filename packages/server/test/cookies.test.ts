import { afterEach, describe, expect, test } from "vitest";
import { adapters, createApp, createBrowser } from "./app.ts";
import { codeOf, start } from "./plain.ts";
import { home, note, site, write } from "./site.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
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

test("the policy tells of everything that was set", () => {
  const cookie = { name: "sid", persistent: false, priority: "low", sameSite: "none", partitioned: true } as const;
  const { sessions } = start({ cookie: { ...cookie, former: [{}, { domain: "shop.example", path: "/a" }] } });
  const former = { name: "sid", portInName: false, path: "/", domain: null, partitioned: false };
  expect(sessions.policy().cookie).toMatchObject({
    ...cookie,
    former: [former, { ...former, path: "/a", domain: "shop.example" }],
  });
});
