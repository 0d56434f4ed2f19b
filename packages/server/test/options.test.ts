import { defineSession } from "@catnap/shared";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSessions } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";

const definition = defineSession({ shared: { note: z.string() } });
const made = (options: object) => createSessions({ definition, store: memoryStore(), ...options } as never);

test.each<[options: object, message: RegExp]>([
  [{ lifeTime: 5 }, /"lifeTime": did you mean "lifetime"/],
  [{ httpOnly: true }, /"httpOnly"/],
  [{ maxAge: 5 }, /"maxAge"/],
  [{ cookies: {} }, /did you mean "cookie"/],
  [{ cookie: { samesite: "lax" } }, /cookie has no option "samesite": did you mean "sameSite"/],
  [{ cookie: { httpOnly: false } }, /"httpOnly"/],
  [{ cookie: { maxAge: 5 } }, /"maxAge"/],
  [{ maxSessions: { perSubject: 1, whenfull: "reject" } }, /did you mean "whenFull"/],
  [{ hooks: { awaken: () => undefined } }, /did you mean "awake"/],
  [{ cookie: { sameSite: "maybe" } }, /cookie.sameSite is "maybe"/],
  [{ cookie: { domain: "a b" } }, /cookie.domain is "a b"/],
  [{ cookie: { domain: "example.com:3000" } }, /cookie.domain is "example.com:3000"/],
  [{ cookie: { domain: "https://example.com" } }, /cookie.domain/],
  [{ cookie: { domain: "localhost" } }, /cookie.domain is "localhost"/],
  [{ cookie: { domain: "127.0.0.1" } }, /browsers take no Domain from an address/],
  [{ cookie: { domain: "" } }, /cookie.domain/],
  [{ cookie: { path: "x" } }, /cookie.path is "x"/],
  [{ cookie: { path: "/x;HttpOnly" } }, /cookie.path/],
  [{ cookie: { path: "/ü" } }, /cookie.path/],
  [{ cookie: { secure: "yes" } }, /cookie.secure is "yes"/],
  [{ cookie: { name: "__host-x", domain: "shop.example" } }, /__Host-/],
  [{ cookie: { persistent: "no" } }, /cookie.persistent is "no": give true or false/],
  [{ cookie: { partitioned: 1 } }, /cookie.partitioned is 1/],
  [{ origins: ["http://localhost"], cookie: { partitioned: true } }, /cookie.partitioned needs a secure cookie/],
  [{ cookie: { priority: "High" } }, /cookie.priority is "High": choose one of low, medium, high/],
  [{ cookie: { former: { name: "old" } } }, /cookie.former is an object: give an array/],
  [{ cookie: { former: ["old"] } }, /cookie.former\[0\] takes its options as an object/],
  [{ cookie: { former: [{ names: "old" }] } }, /cookie.former\[0\] has no option "names": did you mean "name"/],
  [{ cookie: { former: [{ domain: "localhost" }] } }, /cookie.former\[0\].domain is "localhost"/],
  [{ cookie: { former: [{ path: "x" }] } }, /cookie.former\[0\].path is "x"/],
  [{ cookie: { former: [{ name: "a b" }] } }, /cookie.former\[0\].name is "a b"/],
  [{ cookie: { former: [{ name: "__Host-x", path: "/x" }] } }, /cookie.former\[0\].name starts with "__Host-"/],
  [{ cookie: { former: [{}] } }, /cookie.former\[0\] is the cookie of today/],
  [
    { cookie: { domain: "shop.example", former: [{ domain: ".Shop.example" }] } },
    /cookie.former\[0\] is the cookie of today/,
  ],
  [
    { cookie: { former: [{ name: "a" }, { name: "a" }] } },
    /cookie.former\[1\] is the cookie of today, or one before it/,
  ],
  [{ cookie: { former: ["a", "b", "c", "d", "e"].map((name) => ({ name })) } }, /5 scopes: name 4 at most/],
  [{ cookie: { secure: false } }, /origins are not all http:/],
  [{ origins: ["http://a.example", "https://b.example"], cookie: { secure: false } }, /origins are not all http:/],
  [{ cookie: "sid" }, /cookie takes its options as an object/],
  [{ tickets: "no" }, /tickets is "no": give true or false/],
  [{ admit: true }, /admit is true: give a function/],
  [{ report: console }, /report is an object: give a function/],
  [{ clock: 5 }, /clock is 5: give a function/],
  [{ hooks: { awake: 1 } }, /hooks.awake is 1: give a function/],
  [{ hooks: null }, /hooks takes its options as an object/],
  [{ session: class {} }, /session is no class of sessions/],
  [{ maxSessions: null }, /maxSessions takes its options as an object/],
  [{ origins: "http://localhost" }, /origins is "http:\/\/localhost": give an array/],
  [{ origins: [5] }, /origins has 5/],
  [{ clearSiteData: "cache" }, /clearSiteData is "cache": give an array/],
  [{ timeout: null }, /timeout is null/],
  [{ contextKey: 5 }, /contextKey is 5/],
])("options that would mean nothing, or that a browser would refuse, are refused at once: %j", (options, message) => {
  expect(() => made(options)).toThrow(
    expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringMatching(message) }),
  );
});

test.each([
  { cookie: { domain: "shop.example" } },
  { cookie: { domain: ".shop.example", path: "/a/b?c" } },
  { cookie: { domain: "xn--bcher-kva.example" } },
  { cookie: { name: "__Secure-x", sameSite: "none" } },
  { cookie: { partitioned: true, sameSite: "none", priority: "high", persistent: false } },
  { cookie: { domain: "shop.example", former: [{}, { name: "sid" }, { name: "__Secure-sid", path: "/x" }] } },
  { origins: ["http://localhost:3000"], cookie: { secure: false } },
])("options that a browser takes are taken: %j", async (options) => {
  await made(options).close();
});

test.each<[groups: object, message: RegExp]>([
  [{ name: "" }, /"" is no name/],
  [{ name: "a b" }, /"a b" is no name/],
  [{ name: "x".repeat(65) }, /is no name/],
])("a definition with a wrong name is refused: %j", (groups, message) => {
  expect(() => defineSession(groups)).toThrow(
    expect.objectContaining({ code: "INVALID_DEFINITION", message: expect.stringMatching(message) }),
  );
});
