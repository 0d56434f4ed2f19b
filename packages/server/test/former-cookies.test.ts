import { describe, expect, test } from "vitest";
import type { CookieOptions } from "../src/index.ts";
import type { Jar } from "./jar.ts";
import { start } from "./plain.ts";
import { home, lastingStore, note, site, write } from "./site.ts";

describe("a cookie whose scope has changed locks nobody out", () => {
  test.each<[what: string, before: CookieOptions, after: CookieOptions]>([
    ["another name", { name: "old" }, { name: "sid", former: [{ name: "old" }] }],
    ["a name at last", {}, { name: "sid", former: [{ name: "__Host-catnap" }] }],
    ["the sub-domains too", {}, { domain: "shop.example", former: [{}] }],
    ["this host alone again", { domain: "shop.example" }, { former: [{ domain: ".shop.example" }] }],
    ["a path", { name: "sid" }, { name: "sid", path: "/trpc", former: [{}] }],
    ["another domain, the name as it was", { name: "sid" }, { name: "sid", domain: "shop.example", former: [{}] }],
    [
      "this host alone again, the name as it was",
      { name: "sid", domain: "shop.example" },
      { name: "sid", former: [{ domain: "shop.example" }] },
    ],
    ["partitions", { sameSite: "none" }, { sameSite: "none", partitioned: true, former: [{}] }],
    [
      "the last of three",
      { name: "a" },
      { name: "d", former: [{ name: "c" }, { name: "b" }, { name: "a", path: "/x" }, { name: "a" }] },
    ],
  ])("%s", async (_what, before, after) => {
    const { deploy, browser, advance, reports } = await site();
    const url = `${home}trpc/x`;
    const { jar, visit } = browser();
    deploy(before);
    await visit((session) => session.login("ann"), url);
    const old = jar.scopes;
    deploy(after);
    for (let i = 0; i < 4; i++) {
      expect(await visit((session) => session.subject(), url)).toBe("ann");
      expect(jar.scopes).toHaveLength(1);
      advance(50_000);
    }
    expect(jar.scopes).not.toEqual(old);
    expect(reports).toEqual([]);
  });

  test("without former it does: two cookies of one name are none", async () => {
    const { deploy, browser, advance } = await site();
    const { visit } = browser();
    deploy({ name: "sid" });
    await visit((session) => session.login("ann"));
    deploy({ name: "sid", domain: "shop.example" });
    advance(90_000);
    await visit(note);
    expect(await visit((session) => session.subject())).toBeNull();
  });

  test("who was locked out already gets in again, and the older cookie is no theft", async () => {
    const { deploy, browser, advance, reports } = await site({ onReuse: "invalidate" });
    const { jar, visit } = browser();
    deploy({ name: "sid" });
    await visit((session) => session.login("ann"));
    deploy({ name: "sid", domain: "shop.example" });
    advance(90_000);
    await visit(note);
    expect(jar.scopes).toHaveLength(2);
    deploy({ name: "sid", domain: "shop.example", former: [{}] });
    for (let i = 0; i < 3; i++) {
      expect(await visit((session) => session.subject())).toBe("ann");
      advance(61);
    }
    expect(jar.scopes).toEqual(["sid .shop.example /"]);
    expect(reports).toEqual([]);
  });

  test("requests at the same time get one new token between them, and all are served", async () => {
    const store = lastingStore();
    const { visitor } = start({ store, cookie: { name: "old" } });
    const { visit, state } = visitor();
    await visit((session) => session.setValue("note", "n"));
    const { sessions } = start({
      store: { ...store, close: async () => undefined },
      cookie: { name: "sid", former: [{ name: "old" }] },
    });
    const answers = await Promise.all(
      Array.from({ length: 6 }, () =>
        sessions.run(
          new Request(home, { headers: { cookie: state.cookie } }),
          (session) => new Response(note(session)),
        ),
      ),
    );
    expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual(Array(6).fill("n"));
    const set = answers.map(({ headers }) => headers.getSetCookie().map((header) => header.split("=")[0]));
    expect(set.filter((names) => names.length > 0)).toEqual([["old", "sid"]]);
  });

  test("a cookie that cannot be set, since nobody can take it, leaves the former one in use", async () => {
    const store = lastingStore();
    const { visitor } = start({ store, cookie: { name: "old" } });
    const { visit, state } = visitor();
    await visit((session) => session.setValue("note", "n"));
    const { sessions } = start({
      store: { ...store, close: async () => undefined },
      cookie: { name: "sid", former: [{ name: "old" }] },
    });
    const headers = new Headers({ cookie: state.cookie });
    for (let i = 0; i < 3; i++) expect(await sessions.wake({ headers }).read(note)).toBe("n");
  });

  test("today's cookie counts, and what is left of a former name is expired without a new token", async () => {
    const { deploy, browser } = await site();
    const { jar, visit, setCookies } = browser();
    deploy({ name: "old" });
    await visit(write("old"));
    deploy({ name: "sid" });
    await visit(write("new"));
    deploy({ name: "sid", former: [{ name: "old" }] });
    expect(await visit(note)).toBe("new");
    expect(setCookies()).toEqual([expect.stringMatching(/^old=; Max-Age=0/)]);
    expect(jar.scopes).toEqual(["sid www.shop.example /"]);
    await visit(note);
    expect(setCookies()).toEqual([]);
  });
});

describe("a planted cookie does no harm while former scopes are read:", () => {
  const cookie: CookieOptions = { name: "sid", former: [{ domain: "shop.example" }] };
  const plant = (jar: Jar, value: string, path = "/") =>
    jar.take("https://evil.shop.example/", `sid=${value}; Domain=shop.example; Path=${path}; Secure`);

  test("one that opens nothing is passed over, and expired in time", async () => {
    const { deploy, browser, advance, reports } = await site();
    deploy(cookie);
    const { jar, visit } = browser();
    await visit(write("mine"));
    plant(jar, "nonsense");
    expect(await visit(note)).toBe("mine");
    advance(61);
    expect(await visit(note)).toBe("mine");
    expect(jar.scopes).toEqual(["sid www.shop.example /"]);
    expect(reports).toEqual([]);
  });

  test("one that no answer can expire costs a token in a minute, not with each request", async () => {
    const { deploy, browser, advance } = await site();
    deploy(cookie);
    const { jar, visit, setCookies } = browser();
    await visit(write("mine"));
    plant(jar, "nonsense", "/a");
    let rotations = 0;
    for (let i = 0; i < 40; i++) {
      expect(await visit(note, `${home}a/b`)).toBe("mine");
      rotations += setCookies().filter((header) => !header.includes("Max-Age=0")).length;
      advance(10);
    }
    expect(rotations).toBeGreaterThan(0);
    expect(rotations).toBeLessThanOrEqual(7);
  });

  test("of two that open different sessions none is taken", async () => {
    const { deploy, browser } = await site();
    deploy(cookie);
    const [victim, attacker] = [browser(), browser()];
    await victim.visit(write("mine"));
    await attacker.visit(write("theirs"));
    plant(victim.jar, attacker.jar.header(home).slice("sid=".length));
    expect(await victim.visit(note)).toBeNull();
    expect(await victim.visit((session) => session.previous())).toBe("unknown");
  });

  test("more than the scopes explain are none", async () => {
    const { deploy, browser } = await site();
    deploy(cookie);
    const { jar, visit } = browser();
    await visit(write("mine"));
    plant(jar, "nonsense");
    plant(jar, "more", "/a");
    expect(await visit(note, `${home}a/b`)).toBeNull();
    expect(await visit(note)).toBe("mine");
  });

  test("one of a former name is not looked at beside today's, whatever is in that", async () => {
    const { deploy, browser } = await site();
    const attacker = browser();
    deploy({ name: "old" });
    await attacker.visit(write("theirs"));
    deploy({ name: "sid", former: [{ name: "old" }] });
    const { jar, visit } = browser();
    await visit(write("mine"));
    jar.take(home, `${attacker.jar.header(home)}; Path=/`);
    expect(await visit(note)).toBe("mine");
  });

  test("a retired token of another session is reported as ever", async () => {
    const { deploy, browser, advance, reports } = await site();
    deploy(cookie);
    const [victim, attacker] = [browser(), browser()];
    await victim.visit(write("mine"));
    await attacker.visit(write("theirs"));
    const retired = attacker.jar.header(home).slice("sid=".length);
    await attacker.visit((session) => session.rotate());
    await attacker.visit(note);
    advance(61);
    plant(victim.jar, retired);
    expect(await victim.visit(note)).toBe("mine");
    expect(reports).toMatchObject([{ kind: "reuse" }]);
  });
});
