import { expect, test } from "vitest";
import { onEveryAdapter, outcome, secretOf } from "./stage.ts";

// One test per requirement of OWASP ASVS 5.0 that a session kit can meet, named by its number. docs/security.md has the table.

const post = (json: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  body: JSON.stringify({ json }),
  headers: { "content-type": "application/json", ...headers },
});

onEveryAdapter("ASVS 5.0", (start) => {
  test("7.1.1 the policy states the idle timeout and the absolute lifetime", async () => {
    const { sessions } = await start({ timeout: 900, lifetime: 43_200 });
    expect(sessions.policy().lifetime).toEqual({ idle: 900, absolute: 43_200 });
  });

  test("7.1.2 the policy states how many sessions a subject may have, and the limit holds", async () => {
    const { sessions, loggedIn } = await start({ maxSessions: { perSubject: 1, whenFull: "reject" } });
    expect(sessions.policy().limits.sessionsPerSubject).toBe(1);
    await loggedIn();
    expect(await outcome(loggedIn())).toBe("TOO_MANY_SESSIONS");
  });

  test("7.2.1 tokens are verified by the server alone, against its store", async () => {
    const { loggedIn, copyOf, store } = await start();
    const ann = await loggedIn();
    const { identifier } = await ann.api.facts.query();
    await store.delete(identifier);
    expect((await copyOf(ann).api.facts.query()).subject).toBeNull();
  });

  test("7.2.2 tokens are made anew for each session", async () => {
    const { loggedIn } = await start();
    const [one, two] = [await loggedIn(), await loggedIn()];
    expect(one.jar.get("sid")).not.toBe(two.jar.get("sid"));
  });

  test("7.2.3 tokens are unique and carry 256 random bits", async () => {
    const { browser, sessions } = await start();
    expect(sessions.policy().token.randomBits).toBe(256);
    const secrets = new Set<string>();
    for (let i = 0; i < 50; i++) {
      const visitor = browser();
      await visitor.api.increment.mutate();
      secrets.add(secretOf(visitor));
    }
    expect(secrets.size).toBe(50);
    const bits = [...secrets].flatMap((secret) => [...Buffer.from(secret, "base64url")]);
    expect(bits).toHaveLength(50 * 32);
    const ones = bits.reduce((sum, byte) => sum + byte.toString(2).replaceAll("0", "").length, 0);
    // 12,800 fair coins: ten standard deviations to either side.
    expect(Math.abs(ones - 6_400)).toBeLessThan(566);
  });

  test("7.2.4 a login, and a login again, make a new token and end the old one", async () => {
    const { browser, copyOf, clock } = await start();
    const visitor = browser();
    await visitor.api.increment.mutate();
    for (let i = 0; i < 2; i++) {
      const before = copyOf(visitor);
      await visitor.api.login.mutate({ subject: "ann" });
      expect(secretOf(visitor)).not.toBe(secretOf(before));
      await visitor.api.facts.query(); // the new token has arrived: from here on the grace for requests in flight counts
      clock.advance(61);
      expect((await before.api.facts.query()).subject).toBeNull();
      expect((await visitor.api.facts.query()).subject).toBe("ann");
    }
  });

  test("7.3.1 an idle session ends at the idle timeout, sweeper or not", async () => {
    const { loggedIn, clock } = await start({ timeout: 900 });
    const ann = await loggedIn();
    clock.advance(899);
    expect((await ann.api.facts.query()).subject).toBe("ann");
    clock.advance(900);
    expect((await ann.api.facts.query()).subject).toBeNull();
    expect(await ann.api.previous.query()).toBe("expired");
  });

  test("7.3.2 a busy session ends at its absolute lifetime; neither rotation nor login extends it", async () => {
    const { loggedIn, clock } = await start({ timeout: 900, lifetime: 3_600, renewal: 600 });
    const ann = await loggedIn();
    for (let i = 0; i < 5; i++) {
      clock.advance(600);
      await ann.api.rotate.mutate({});
      await ann.api.login.mutate({ subject: "ann" });
    }
    clock.advance(599);
    expect((await ann.api.facts.query()).subject).toBe("ann");
    clock.advance(1);
    expect((await ann.api.facts.query()).subject).toBeNull();
  });

  test("7.4.1 a session that has ended is of no use any more", async () => {
    const { loggedIn, copyOf, store } = await start();
    const ann = await loggedIn();
    const replay = copyOf(ann);
    const { identifier } = await ann.api.facts.query();
    await ann.api.logout.mutate({});
    expect(await replay.api.session.values.query()).toEqual({});
    await replay.api.session.setValue.mutate({ key: "note", value: "revived?" });
    expect(await store.read(identifier)).toBeNull();
    expect((await replay.api.facts.query()).identifier).not.toBe(identifier);
  });

  test("7.4.2 all sessions of an account can be ended, at once", async () => {
    const { loggedIn, sessions } = await start();
    const devices = [await loggedIn(), await loggedIn()];
    expect(await sessions.revokeAll({ subject: "ann" })).toBe(2);
    for (const { api } of devices) expect((await api.facts.query()).subject).toBeNull();
  });

  test("7.4.3 all others can be ended after a change of password", async () => {
    const { loggedIn, sessions } = await start();
    const [here, there] = [await loggedIn(), await loggedIn()];
    const { identifier } = await here.api.facts.query();
    expect(await sessions.revokeAll({ subject: "ann", except: identifier })).toBe(1);
    expect((await here.api.facts.query()).subject).toBe("ann");
    expect((await there.api.facts.query()).subject).toBeNull();
  });

  test("7.4.5 administrators can end one session, all of a person, all of everybody", async () => {
    const { loggedIn, sessions } = await start();
    const [ann, bob, eve] = [await loggedIn("ann"), await loggedIn("bob"), await loggedIn("eve")];
    const { identifier } = await ann.api.facts.query();
    expect(await sessions.revoke(identifier)).toBe(true);
    expect(await sessions.revokeAll({ subject: "bob" })).toBe(1);
    expect(await sessions.revokeEveryone()).toBe(1);
    for (const { api } of [ann, bob, eve]) expect((await api.facts.query()).subject).toBeNull();
  });

  test("7.5.1 and 7.5.3 what is sensitive can ask for a recent login", async () => {
    const { loggedIn, clock } = await start();
    const ann = await loggedIn();
    expect(await outcome(ann.api.pay.mutate({}))).toBe("ok");
    clock.advance(301);
    expect(await outcome(ann.api.pay.mutate({}))).toBe("NOT_FRESH");
  });

  test("7.5.2 people can see their sessions, and end any of them", async () => {
    const { loggedIn, sessions } = await start();
    const [here, there] = [await loggedIn(), await loggedIn()];
    const { identifier } = await here.api.facts.query();
    const [other] = (await sessions.list({ subject: "ann", current: identifier })).filter(({ current }) => !current);
    expect(other).toMatchObject({ subject: "ann", createdAt: expect.any(Number), accessedAt: expect.any(Number) });
    expect(await sessions.revoke(other?.identifier ?? "")).toBe(true);
    expect((await there.api.facts.query()).subject).toBeNull();
  });

  test("3.3.1, 3.3.3 and 3.3.4 the cookie is __Host-, Secure and HttpOnly unless it is configured to be weaker", async () => {
    const { browser } = await start({ cookie: {} });
    const visitor = browser();
    await visitor.api.increment.mutate();
    const [cookie = ""] = visitor.seen.flatMap(({ setCookie }) => setCookie);
    expect(cookie).toMatch(/^__Host-catnap=/);
    for (const attribute of ["Secure", "HttpOnly", "Path=/"]) expect(cookie.split("; ")).toContain(attribute);
    expect(cookie).not.toMatch(/domain/i);
    expect(visitor.seen.map(({ body }) => body).join()).not.toContain(visitor.jar.get("__Host-catnap")?.split(".")[1]);
  });

  test("3.3.2 the cookie says SameSite, Lax by default", async () => {
    const { loggedIn } = await start();
    const ann = await loggedIn();
    for (const cookie of ann.seen.flatMap(({ setCookie }) => setCookie)) expect(cookie).toContain("SameSite=Lax");
  });

  test("3.3.5 the cookie is far below 4,096 bytes, whatever the session holds", async () => {
    const { loggedIn } = await start();
    const ann = await loggedIn();
    await ann.api.session.setValue.mutate({ key: "note", value: "n".repeat(100_000) });
    await ann.api.rotate.mutate({});
    for (const cookie of ann.seen.flatMap(({ setCookie }) => setCookie)) expect(cookie.length).toBeLessThan(250);
  });

  test("3.5.1 and 3.5.2 a foreign page's request is refused, preflighted or not", async () => {
    const { loggedIn, ran, url } = await start();
    const ann = await loggedIn();
    const form = new FormData();
    form.set("x", "1");
    const foreign = { "sec-fetch-site": "cross-site", origin: "https://evil.example" };
    expect((await ann.send(`${url}/transfer`, { method: "POST", body: form, headers: foreign })).status).toBe(403);
    expect((await ann.send(`${url}/transfer`, post({}, foreign))).status).toBe(403);
    expect(ran.transfers).toBe(0);
  });

  test("3.5.3 safe methods change nothing", async () => {
    const { loggedIn, url, ran } = await start();
    const ann = await loggedIn();
    for (const method of ["GET", "HEAD"]) {
      const { status } = await ann.send(`${url}/transfer`, { method });
      expect([204, 404, 405]).toContain(status);
    }
    expect(ran.transfers).toBe(0);
    const foreign = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" };
    expect((await ann.send(`${url}/sneaky`, { headers: foreign })).status).toBe(403);
  });

  test("14.2.1 tokens are in cookies alone: in a URL, a body or another header they open nothing", async () => {
    const { loggedIn, browser, url } = await start({ tickets: true });
    const ann = await loggedIn();
    const token = ann.jar.get("sid") ?? "";
    const stranger = browser();
    for (const address of [`theme?sid=${token}`, `facts?_SID_=${token}`, `facts?token=${token}`]) {
      const text = await (await stranger.send(`${url}/${address}`)).text();
      expect(text).not.toContain('"ann"');
    }
    for (const headers of [{ authorization: `Bearer ${token}` }, { sid: token }, { "x-session": token }]) {
      const text = await (await stranger.send(`${url}/facts`, { headers })).text();
      expect(text).toContain('"subject":null');
    }
    expect(await (await stranger.send(`${url}/increment`, post({ sid: token, _SID_: token }))).text()).toContain("1");
  });

  test("14.2.2, 14.2.5 and 14.3.2 no cache keeps what depends on a session", async () => {
    const { loggedIn, url } = await start();
    const ann = await loggedIn();
    for (const path of ["session.values", "facts", "theme", "facts/logo.png", "theme?x=.css"]) {
      const { headers, status } = await ann.send(`${url}/${path}`);
      if (status !== 200) continue;
      expect(headers.get("cache-control")).toMatch(/no-store/);
      expect(headers.get("vary")).toMatch(/cookie/i);
    }
  });

  test("14.2.6 and 15.3.1 an answer holds what a browser may know, and no more", async () => {
    const { loggedIn, url } = await start();
    const ann = await loggedIn();
    await ann.api.session.values.query();
    await ann.api.session.info.query();
    await ann.send(`${url}/session.value?input=${encodeURIComponent('{"json":{"key":"csrfSeed"}}')}`);
    const told = ann.seen.map(({ body }) => body).join();
    for (const secret of ["canary-secret", secretOf(ann), "~tokens", "~sync"]) expect(told).not.toContain(secret);
  });

  test("14.3.1 the browser can be told to clear what it keeps when the session ends", async () => {
    const { loggedIn, url } = await start({ clearSiteData: ["storage"] });
    const ann = await loggedIn();
    const answer = await ann.send(`${url}/logout`, post({}));
    expect(answer.headers.get("clear-site-data")).toBe('"storage"');
    expect(ann.jar.has("sid")).toBe(false);
  });

  test("15.3.3 no procedure lets a client write what is not its to write", async () => {
    const { loggedIn, url, store } = await start();
    const ann = await loggedIn();
    const { identifier } = await ann.api.facts.query();
    const before = (await store.read(identifier))?.entries;
    for (const key of ["user", "csrfSeed", "~tokens", "subject", "__proto__"]) {
      for (const path of ["session.setValue", "session.delValue"]) {
        const answer = await ann.send(
          `${url}/${path}`,
          post({ key, value: { id: "root", name: "root" }, admin: true }),
        );
        expect(answer.status).toBeGreaterThanOrEqual(400);
      }
    }
    const extra = { key: "theme", value: "dark", subject: "root", user: { id: "root" }, timeoutMs: 1e12 };
    expect((await ann.send(`${url}/session.setValue`, post(extra))).status).toBe(200);
    const record = await store.read(identifier);
    expect(record).toMatchObject({ subject: "ann", timeoutMs: 3_600_000 });
    for (const key of ["user", "csrfSeed", "~tokens"]) expect(record?.entries.get(key)).toEqual(before?.get(key));
  });

  test("15.3.5 a value of another type than the schema's is refused, not converted", async () => {
    const { loggedIn, url } = await start();
    const ann = await loggedIn();
    for (const value of [["dark"], { toString: "dark" }, 1, true, null]) {
      expect((await ann.send(`${url}/session.setValue`, post({ key: "theme", value }))).status).toBe(400);
    }
    for (const key of [["theme"], { toString: "theme" }, 1]) {
      expect((await ann.send(`${url}/session.setValue`, post({ key, value: "dark" }))).status).toBe(400);
    }
  });

  test("15.3.6 prototypes cannot be polluted through a session", async () => {
    const { loggedIn, url } = await start();
    const ann = await loggedIn();
    for (const body of [
      '{"json":{"key":"anything","value":{"__proto__":{"polluted":1}}}}',
      '{"json":{"__proto__":{"key":"anything","value":1,"polluted":1}}}',
      '{"json":{"key":"anything","value":{"a":1}},"meta":{"values":{"value.__proto__.polluted":["Date"]}}}',
      '{"json":{"key":"anything","value":{"constructor":{"prototype":{"polluted":1}}}}}',
    ]) {
      await ann.send(`${url}/session.setValue`, { ...post(null), body });
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  test("15.3.7 a cookie that comes twice with two contents is none", async () => {
    const { loggedIn, browser, url } = await start();
    const [ann, eve] = [await loggedIn("ann"), await loggedIn("eve")];
    const both = [
      `sid=${ann.jar.get("sid")}; sid=${eve.jar.get("sid")}`,
      `sid=${eve.jar.get("sid")}; sid=${ann.jar.get("sid")}`,
    ];
    for (const cookie of both) {
      const text = await (await browser().send(`${url}/facts`, { headers: { cookie } })).text();
      expect(text).toContain('"subject":null');
    }
  });

  test("16.2.5 no event, error or report holds a token or a secret value", async () => {
    const { loggedIn, copyOf, clock, reports, sessions, url } = await start({ guard: "report" });
    const ann = await loggedIn();
    const thief = copyOf(ann);
    const stolen = secretOf(thief);
    await ann.api.rotate.mutate({});
    await ann.api.facts.query();
    clock.advance(61);
    await thief.api.facts.query();
    await ann.send(`${url}/transfer`, post({}, { "sec-fetch-site": "cross-site" }));
    const identifier = (await ann.api.facts.query()).identifier;
    const listed = await sessions.list({ subject: "ann" });
    const said = JSON.stringify([reports, listed, sessions.policy(), ann.seen.map(({ body }) => body)]);
    expect(reports).toMatchObject([
      { kind: "reuse", identifier },
      { kind: "cross-site", what: "transfer" },
    ]);
    for (const secret of [stolen, secretOf(ann), "canary-secret"]) expect(said).not.toContain(secret);
  });
});
