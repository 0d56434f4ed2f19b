import { describe, expect, test } from "vitest";
import { codeOf, start } from "./plain.ts";

describe("tickets", () => {
  test("are off unless asked for", async () => {
    const { visit } = start().visitor();
    expect(await codeOf(() => visit((session) => session.sessionEncode("/x")))).toBe("TICKETS_DISABLED");
  });

  test("hand the session to the page behind the URL, once, for a minute, and are never the token", async () => {
    const { visitor, clock } = start({ tickets: true });
    const giver = visitor();
    const url = await giver.visit((session) => {
      session.setValue("note", "handed");
      return session.sessionEncode("/next?a=1#top");
    });
    expect(url).toMatch(/^\/next\?a=1&_SID_=[\w-]+\.[\w-]{43}#top$/);
    expect(url).not.toContain(giver.state.cookie.split(".")[1]);
    const path = url.replace("#top", "");
    const taker = visitor();
    expect(await taker.visit((session) => session.value("note", null), { path })).toBe("handed");
    expect(await taker.visit((session) => session.value("note", null))).toBe("handed");
    expect(await giver.visit((session) => session.value("note", null))).toBe("handed");
    expect(await visitor().visit((session) => session.value("note", null), { path })).toBeNull();

    const late = await giver.visit((session) => session.sessionEncode("/late"));
    const asCookie = visitor();
    asCookie.state.cookie = `sid=${late.split("_SID_=")[1]}`;
    expect(await asCookie.visit((session) => session.value("note", null))).toBeNull();
    clock.advance(60);
    expect(await visitor().visit((session) => session.value("note", null), { path: late })).toBeNull();
  });

  test("never replace the session that a browser has", async () => {
    const { visitor } = start({ tickets: true });
    const attacker = visitor();
    const path = await attacker.visit((session) => {
      session.setValue("note", "attacker's");
      return session.sessionEncode("/x");
    });
    const victim = visitor();
    await victim.visit((session) => session.setValue("note", "victim's"));
    expect(await victim.visit((session) => session.value("note"), { path })).toBe("victim's");
  });

  test("go to no other server than this one and the listed ones, since whoever gets the URL gets the session", async () => {
    const { visit } = start({ tickets: true, origins: ["https://elsewhere.example"] }).visitor();
    for (const url of ["/next", "next?a#b", "", "https://shop.example/x", "https://elsewhere.example/y"]) {
      expect(await codeOf(() => visit((session) => session.sessionEncode(url)))).toBe("fine");
    }
    const foreign = [
      "https://evil.example/",
      "//evil.example",
      "\\\\evil.example",
      "javascript:alert(1)",
      "http://elsewhere.example",
    ];
    for (const url of [...foreign, undefined as unknown as string]) {
      expect(await codeOf(() => visit((session) => session.sessionEncode(url)))).toBe("INVALID_OPTION");
    }
  });

  test("take the place of one that the URL has already, wherever it stands", async () => {
    const { visit } = start({ tickets: true }).visitor();
    await visit((session) => session.setValue("note", "n"));
    const old = `${"i".repeat(22)}.${"t".repeat(43)}`;
    for (const [url, expected] of [
      [`/x?_SID_=${old}`, /^\/x\?_SID_=[\w-]+\.[\w-]{43}$/],
      [`?a=1&_SID_=${old}&b=2&_SID_=${old}#_SID_=c`, /^\?a=1&b=2&_SID_=[\w-]+\.[\w-]{43}#_SID_=c$/],
      ["https://shop.example?", /^https:\/\/shop\.example\?_SID_=[\w-]+\.[\w-]{43}$/],
      ["", /^\?_SID_=[\w-]+\.[\w-]{43}$/],
    ] as const) {
      const encoded = await visit((session) => session.sessionEncode(url));
      expect(encoded).toMatch(expected);
      expect(encoded).not.toContain(old);
    }
  });

  test("are so many: more in one transaction are refused, since one would end another unseen", async () => {
    const { visit } = start({ tickets: true }).visitor();
    await visit((session) => session.setValue("note", "n"));
    const many = (count: number) =>
      visit(async (session) => {
        for (let i = 0; i < count; i++) await session.sessionEncode("/x");
      });
    expect(await codeOf(() => many(8))).toBe("fine");
    expect(await codeOf(() => many(9))).toBe("LIMIT_EXCEEDED");
  });

  test("are not used up by a page's snapshot, which could hand on no cookie", async () => {
    const { sessions, visitor } = start({ tickets: true });
    const path = await visitor().visit((session) => {
      session.setValue("note", "handed");
      return session.sessionEncode("/x");
    });
    const taker = visitor();
    expect(await sessions.wake(taker.request({ path })).snapshot()).toMatchObject({ identifier: null, entries: {} });
    expect(await taker.visit((session) => session.value("note", null), { path })).toBe("handed");
  });

  test("are redeemed where a person or the app's own page opens them, not where a foreign page makes the browser", async () => {
    const { visitor } = start({ tickets: true });
    const giver = visitor();
    await giver.visit((session) => session.setValue("note", "attacker's"));
    const navigation = { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
    const requests: [redeemed: boolean, headers: Record<string, string>][] = [
      [false, { "sec-fetch-site": "cross-site", ...navigation }],
      [false, { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" }],
      [false, { "sec-fetch-site": "same-site", ...navigation, "sec-fetch-dest": "iframe", "sec-fetch-user": "?1" }],
      [true, { "sec-fetch-site": "cross-site", ...navigation, "sec-fetch-user": "?1" }],
      [true, { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" }],
      [true, { "sec-fetch-site": "none", ...navigation, "sec-fetch-user": "?1" }],
      [true, {}],
    ];
    for (const [redeemed, headers] of requests) {
      const path = await giver.visit((session) => session.sessionEncode("/x"));
      const taker = visitor();
      const note = await taker.visit((session) => session.value("note", null), { path, headers });
      expect([note, taker.state.setCookies.length], JSON.stringify(headers)).toEqual(
        redeemed ? ["attacker's", 1] : [null, 0],
      );
    }
  });

  test("an attacker's, followed by a victim who then logs in, leaves the attacker nothing: no token, no other ticket", async () => {
    const { visitor } = start({ tickets: true });
    const attacker = visitor();
    const [path, another] = await attacker.visit(async (session) => {
      session.setValue("note", "planted");
      return [await session.sessionEncode("/x"), await session.sessionEncode("/y")] as const;
    });
    const victim = visitor();
    await victim.visit((session) => session.value("note"), { path });
    await victim.visit((session) => session.login("ann"));
    expect(await victim.visit((session) => session.subject())).toBe("ann");
    expect(await attacker.visit((session) => [session.previous(), session.subject()])).toEqual(["unknown", null]);
    expect(await visitor().visit((session) => session.subject(), { path: another })).toBeNull();
  });

  test("are not handed out by a request during which somebody has logged in, which would hand that login on", async () => {
    const { visitor } = start({ tickets: true });
    const [attacker, victim] = [visitor(), visitor()];
    await attacker.visit((session) => session.setValue("note", "planted"));
    victim.state.cookie = attacker.state.cookie;
    const handing = attacker.visit(async (session) => {
      await victim.visit((own) => own.login("ann"));
      return session.sessionEncode("/x");
    });
    expect(await codeOf(() => handing)).toBe("TOKEN_ROTATED");
  });

  test("are not handed out by a token that was rotated meanwhile", async () => {
    const { visitor } = start({ tickets: true });
    const { visit, state } = visitor();
    await visit((session) => session.setValue("note", "n"));
    const old = state.cookie;
    await visit((session) => session.rotate());
    await visit((session) => session.value("note"));
    state.cookie = old;
    expect(await visit((session) => session.value("note"))).toBe("n");
    expect(await codeOf(() => visit((session) => session.sessionEncode("/x")))).toBe("TOKEN_ROTATED");
  });
});
