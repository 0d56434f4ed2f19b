import { SessionError } from "@catnap/shared";
import { afterEach, describe, expect, test } from "vitest";
import { describeDevice } from "../src/identity/device.ts";
import type { SessionEvent } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { adapters, createApp, createBrowser } from "./app.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const outcome = (promise: Promise<unknown>) =>
  promise.then(
    () => "ok",
    (error: unknown) => SessionError.from(error)?.code ?? String(error),
  );

const firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";
const iphone =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1";

for (const [name, mount] of Object.entries(adapters)) {
  describe(`subjects over tRPC's ${name} adapter`, () => {
    const start = async (options: Parameters<typeof createApp>[0] = {}) => {
      const clock = { now: 1_800_000_000_000, advance: (seconds: number) => (clock.now += seconds * 1000) };
      const reports: SessionEvent[] = [];
      const store = memoryStore();
      const report = (event: SessionEvent) => void reports.push(event);
      const app = createApp({ store, report, clock: () => clock.now, ...options });
      const server = await mount(app);
      cleanups.push(() => app.sessions.close());
      cleanups.push(() => server.close());
      const device = (userAgent?: string) =>
        createBrowser(server.url, "single", userAgent === undefined ? {} : { "user-agent": userAgent });
      /** The same browser's cookie in another's hands. */
      const thief = (of: ReturnType<typeof device>) => {
        const copy = device();
        for (const [cookie, content] of of.jar) copy.jar.set(cookie, content);
        return copy;
      };
      return { ...app, clock, reports, store, device, thief };
    };

    test("are listed with device, first and last use, and which one asks; no token, no hash", async () => {
      const { sessions, device, clock, store } = await start();
      const [desk, pocket] = [device(firefox), device(iphone)];
      await desk.api.login.mutate({ subject: "ann" });
      clock.advance(100);
      await pocket.api.login.mutate({ subject: "ann" });
      clock.advance(100);
      await desk.api.session.setValue.mutate({ key: "note", value: "n" });
      await device(firefox).api.login.mutate({ subject: "bob" });
      const { identifier } = await desk.api.facts.query();
      const listed = await sessions.list({ subject: "ann", current: identifier });
      const start0 = 1_800_000_000_000;
      expect(listed.sort((a, b) => a.createdAt - b.createdAt)).toMatchObject([
        {
          identifier,
          device: "Firefox on Windows",
          current: true,
          createdAt: start0,
          accessedAt: start0 + 200_000,
          authenticatedAt: start0,
        },
        { device: "Safari on iPhone", current: false, createdAt: start0 + 100_000 },
      ]);
      const text = JSON.stringify(listed);
      for (const { jar } of [desk, pocket]) expect(text).not.toContain(jar.get("sid")?.split(".")[1]);
      const [, hash = ""] =
        /^c([\w-]{43})/.exec((await store.read(identifier))?.entries.get("~tokens")?.value ?? "") ?? [];
      expect(hash).not.toBe("");
      expect(text).not.toContain(hash);
      // Whoever knows a listed identifier is not let in by it.
      const stranger = device();
      stranger.jar.set("sid", `${identifier}.${hash}`);
      expect(await stranger.api.session.values.query()).toEqual({});
    });

    test("revokeEveryone ends all sessions, of everybody; a missing subject never does", async () => {
      const { sessions, device } = await start();
      const everybody = [device(), device(), device()];
      for (const [i, { api }] of everybody.entries()) {
        if (i === 0) await api.session.setValue.mutate({ key: "note", value: "anonymous" });
        else await api.login.mutate({ subject: `subject-${i}` });
      }
      for (const subject of [undefined, null, ""]) {
        expect(await outcome(sessions.revokeAll({ subject: subject as never }))).toBe("INVALID_OPTION");
        expect(await outcome(sessions.list({ subject: subject as never }))).toBe("INVALID_OPTION");
        expect(await outcome(sessions.revoke(subject as never))).toBe("INVALID_OPTION");
      }
      expect(await sessions.revokeEveryone()).toBe(3);
      for (const { api } of everybody) expect(await api.session.values.query()).toEqual({});
      expect(await sessions.revokeEveryone()).toBe(0);
    });

    test("a token used after its grace is reported, and with onReuse invalidate it ends the session", async () => {
      for (const onReuse of ["report", "invalidate"] as const) {
        const { device, thief, clock, reports, store } = await start({ onReuse });
        const owner = device();
        await owner.api.login.mutate({ subject: "ann" });
        const { identifier } = await owner.api.facts.query();
        const stolen = thief(owner);
        await owner.api.rotate.mutate({});
        await owner.api.facts.query();
        expect(await stolen.api.session.values.query()).not.toEqual({}); // in flight, within the grace
        expect(reports).toEqual([]);
        clock.advance(61);
        const ended = onReuse === "invalidate";
        expect(await outcome(stolen.api.session.setValue.mutate({ key: "note", value: "thief" }))).toBe("ok");
        expect(reports).toEqual([{ kind: "reuse", identifier, subject: "ann", ended }]);
        expect((await stolen.api.facts.query()).identifier).not.toBe(identifier);
        expect(await store.read(identifier)).toEqual(ended ? null : expect.anything());
        expect((await owner.api.facts.query()).subject).toBe(ended ? null : "ann");
        expect(JSON.stringify(reports)).not.toContain(stolen.jar.get("sid")?.split(".")[1]);
      }
    });

    test("are text that every store keeps as it is: what is cut or replaced on the way is refused, wherever it is named", async () => {
      const { sessions, device } = await start();
      await device().api.login.mutate({ subject: "admin" });
      const visitor = device();
      for (const subject of ["admin\0x", "\0", "admin\ud800", "\udc00"]) {
        expect(await outcome(visitor.api.login.mutate({ subject }))).toBe("INVALID_OPTION");
        for (const act of [sessions.list({ subject }), sessions.revokeAll({ subject })]) {
          expect(await outcome(act)).toBe("INVALID_OPTION");
        }
      }
      for (const identifier of ["", "a\0b", "a b", "x".repeat(81), 5 as never]) {
        expect(await outcome(sessions.revoke(identifier))).toBe("INVALID_OPTION");
      }
      expect(await sessions.list({ subject: "admin" })).toHaveLength(1);
      await visitor.api.login.mutate({ subject: "ädmin 🐈" });
      expect((await visitor.api.facts.query()).subject).toBe("ädmin 🐈");
    });

    test("no more than maxSessions.perSubject: a login too many is refused and changes nothing", async () => {
      const { device, sessions } = await start({ maxSessions: { perSubject: 2, whenFull: "reject" } });
      const [first, second, third] = [device(), device(), device()];
      await first.api.login.mutate({ subject: "ann" });
      await second.api.login.mutate({ subject: "ann" });
      await third.api.session.setValue.mutate({ key: "note", value: "mine" });
      expect(await outcome(third.api.login.mutate({ subject: "ann" }))).toBe("TOO_MANY_SESSIONS");
      expect(await third.api.session.values.query()).toEqual({ note: "mine" });
      expect((await third.api.facts.query()).subject).toBeNull();
      expect(await outcome(third.api.login.mutate({ subject: "bob" }))).toBe("ok");
      // Logging in again where one is logged in is no session more.
      expect(await outcome(second.api.login.mutate({ subject: "ann" }))).toBe("ok");
      await first.api.logout.mutate({});
      expect(await outcome(device().api.login.mutate({ subject: "ann" }))).toBe("ok");
      expect(await sessions.list({ subject: "ann" })).toHaveLength(2);
    });

    test("with endOldest the session that logged in longest ago makes room", async () => {
      const { device, sessions, clock } = await start({ maxSessions: { perSubject: 2, whenFull: "endOldest" } });
      const devices = [device(), device(), device()];
      for (const { api } of devices) {
        await api.login.mutate({ subject: "ann" });
        clock.advance(1);
      }
      const subjects = await Promise.all(devices.map(async ({ api }) => (await api.facts.query()).subject));
      expect(subjects).toEqual([null, "ann", "ann"]);
      expect(await sessions.list({ subject: "ann" })).toHaveLength(2);
    });

    test("logins at once leave no more than maxSessions allows", async () => {
      for (const whenFull of ["reject", "endOldest"] as const) {
        const { device, sessions } = await start({ maxSessions: { perSubject: 2, whenFull } });
        const outcomes = await Promise.all(
          Array.from({ length: 8 }, () => outcome(device().api.login.mutate({ subject: "ann" }))),
        );
        expect((await sessions.list({ subject: "ann" })).length).toBeLessThanOrEqual(2);
        expect(outcomes).toContain("ok");
        for (const one of outcomes) expect(one).toMatch(/^(ok|TOO_MANY_SESSIONS|SESSION_GONE)$/);
      }
    });

    test("requireFresh wants a recent login, whatever the session's age; logging in again is one", async () => {
      const { device, clock } = await start();
      const { api } = device();
      await api.session.setValue.mutate({ key: "note", value: "n" });
      expect(await outcome(api.pay.mutate({}))).toBe("NOT_FRESH");
      await api.login.mutate({ subject: "ann" });
      expect(await api.pay.mutate({})).toBe("paid by ann");
      clock.advance(299.999);
      expect(await outcome(api.pay.mutate({}))).toBe("ok");
      clock.advance(0.001);
      expect(await outcome(api.pay.mutate({}))).toBe("NOT_FRESH");
      await api.rotate.mutate({});
      expect(await outcome(api.pay.mutate({}))).toBe("NOT_FRESH");
      await api.login.mutate({ subject: "ann" });
      expect(await outcome(api.pay.mutate({}))).toBe("ok");
    });
  });
}

test("requireFresh refuses what is no time", () => {
  const { sessions } = createApp();
  for (const seconds of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => sessions.requireFresh(seconds)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  }
});

test("authenticatedAt is the time of the login, from the moment of the call", async () => {
  const { sessions } = createApp({ clock: () => 5_000 });
  await sessions.run(new Request("https://shop.test/"), (session) => {
    expect(session.authenticatedAt()).toBeNull();
    session.login("ann");
    expect(session.authenticatedAt()).toBe(5_000);
    return new Response();
  });
});

test("createSessions refuses limits on sessions that are none", () => {
  for (const options of [
    { onReuse: "ignore" as never },
    { maxSessions: { perSubject: 0, whenFull: "reject" } as const },
    { maxSessions: { perSubject: 1.5, whenFull: "reject" } as const },
    { maxSessions: { perSubject: 1, whenFull: "shrug" as never } },
  ]) {
    expect(() => createApp(options)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  }
});

test("a device is described in our own words, whatever the client says", () => {
  expect(describeDevice(null)).toBeNull();
  expect(describeDevice(firefox)).toBe("Firefox on Windows");
  expect(describeDevice(iphone)).toBe("Safari on iPhone");
  expect(
    describeDevice("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"),
  ).toBe("Chrome on Linux");
  expect(describeDevice("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0")).toBe(
    "Edge on Windows",
  );
  expect(describeDevice("curl/8.0 <script>alert(1)</script>")).toBeNull();
  expect(describeDevice(`${"x".repeat(100_000)} Firefox/1`)).toBeNull();
});
