import { afterEach, describe, expect, test } from "vitest";
import { adapters, createApp, createBrowser } from "./app.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

test("the policy tells an auditor what the configuration amounts to", () => {
  const { sessions } = createApp({
    cookie: {},
    origins: ["https://app.example"],
    timeout: 600,
    maxSessions: { perSubject: 3, whenFull: "reject" },
    admit: () => true,
  });
  expect(JSON.parse(JSON.stringify(sessions.policy()))).toEqual({
    token: {
      randomBits: 256,
      storedAs: "SHA-256",
      acceptedFrom: "cookie",
      renewedAfter: 86_400,
      graceAfterRotation: 60,
      onReuse: "report",
      ticketsInUrls: false,
    },
    cookie: {
      name: "__Host-catnap",
      portInName: false,
      path: "/",
      domain: null,
      partitioned: false,
      httpOnly: true,
      secure: true,
      sameSite: "lax",
      persistent: true,
      priority: null,
      former: [],
    },
    lifetime: { idle: 600, absolute: 1_209_600 },
    crossSite: { guard: "refuse", origins: ["https://app.example"] },
    limits: {
      valueBytes: 131_072,
      sessionBytes: 1_048_576,
      opsPerPush: 1_000,
      callsPerBatch: 100,
      liveStreams: 16,
      sessionsPerSubject: 3,
      newSessionsLimited: true,
    },
    responses: { cacheControl: "no-store", clearSiteData: [] },
    keys: {
      shared: ["theme", "note", "cart", "visits", "clicks", "seen", "anything", "tree"],
      readonly: ["user"],
      secret: ["csrfSeed"],
    },
  });
});

for (const [name, mount] of Object.entries(adapters)) {
  describe(`Clear-Site-Data over tRPC's ${name} adapter`, () => {
    const start = async (options: Parameters<typeof createApp>[0] = {}) => {
      const app = createApp(options);
      const server = await mount(app);
      cleanups.push(() => app.sessions.close());
      cleanups.push(() => server.close());
      const { api, send } = createBrowser(server.url);
      await api.login.mutate({ subject: "ann" });
      const call = async (path: string) => {
        const response = await send(`${server.url}/${path}`, {
          method: "POST",
          body: '{"json":{}}',
          headers: { "content-type": "application/json" },
        });
        return response.headers.get("clear-site-data");
      };
      return { call };
    };

    test("goes with the answer that ends the session, and with no other", async () => {
      const { call } = await start({ clearSiteData: ["cache", "storage"] });
      expect(await call("rotate")).toBeNull();
      expect(await call("logout")).toBe('"cache", "storage"');
      expect(await call("logout")).toBeNull(); // nothing left to end
    });

    test("is not sent unless asked for", async () => {
      const { call } = await start();
      expect(await call("logout")).toBeNull();
    });
  });
}

test("run sends it as well", async () => {
  const { sessions } = createApp({ clearSiteData: ["storage"] });
  const first = await sessions.run(new Request("https://shop.test/"), (session) => {
    session.login("ann");
    return new Response();
  });
  const [cookie = ""] = first.headers.getSetCookie();
  const headers = { cookie: cookie.split(";")[0] ?? "" };
  const answer = await sessions.run(new Request("https://shop.test/", { headers }), async (session) => {
    await session.invalidate();
    return new Response();
  });
  expect(answer.headers.get("clear-site-data")).toBe('"storage"');
});

test("a directive of another name is refused", () => {
  expect(() => createApp({ clearSiteData: ["*" as never] })).toThrow(
    expect.objectContaining({ code: "INVALID_OPTION" }),
  );
});
