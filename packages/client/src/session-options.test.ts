import { build } from "esbuild";
import superjson from "superjson";
import { expect, test, vi } from "vitest";
import { shop } from "../test/shop.ts";
import { createSessionClient } from "./index.ts";

const create = createSessionClient as unknown as (options?: unknown) => unknown;
const http = { url: "/trpc" };
const given = { definition: shop, http };

test.each<[what: string, options: unknown, message: RegExp]>([
  ["nothing", undefined, /createSessionClient takes its options as an object with any of definition, http/],
  ["a definition in place of options", shop, /was given a definition: pass \{ definition, http \}/],
  ["no definition", { http }, /definition is undefined: pass what defineSession/],
  ["the groups of a definition", { definition: { shared: {} }, http }, /definition is an object: pass/],
  ["no http", { definition: shop }, /http is undefined: pass the object that your httpLink gets/],
  ["a URL for http", { definition: shop, http: "/trpc" }, /http is "\/trpc": pass the object/],
  ["no http, with everything else", {}, /definition is undefined: pass what defineSession/],
  ["a path with slashes", { ...given, path: "/session" }, /path is "\/session": name the session's router as your/],
  ["an empty path", { ...given, path: "" }, /path is "": name the session's router/],
  ["text for live", { ...given, live: "false" }, /live is "false": give true or false/],
  ["text for idle", { ...given, idle: "2" }, /idle is "2": give a number of seconds, 0 or more/],
  ["a time below 0", { ...given, maxWait: -1 }, /maxWait is -1: give a number of seconds, 0 or more/],
  ["a time that is no number", { ...given, maxWait: Number.NaN }, /maxWait is NaN: give a number of seconds/],
  ["an empty name", { ...given, name: "" }, /name is "": give a text/],
  [
    "a snapshot that nobody waited for",
    { ...given, initialSnapshot: Promise.resolve() },
    /initialSnapshot is an object: pass what await session.snapshot\(\) gave on the server/,
  ],
  ["a listener that is none", { ...given, onConflict: {} }, /onConflict is an object: give a function, such as/],
  ["another that is none", { ...given, onExpired: "ask" }, /onExpired is "ask": give a function, such as/],
  ["no object for surroundings", { ...given, surroundings: true }, /surroundings is true: give an object/],
  [
    "an unknown part",
    { ...given, surroundings: { colour: "red" } },
    /surroundings has no option "colour": it takes now/,
  ],
  [
    "a misspelt option",
    { definition: shop, http, onConflikt: () => undefined },
    /"onConflikt": did you mean "onConflict"/,
  ],
  ["an unknown option", { definition: shop, http, colour: "red" }, /has no option "colour": it takes definition, http/],
])("createSessionClient says what it cannot use: %s", (_, options, message) => {
  expect(() => create(options)).toThrow(
    expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringMatching(message) }),
  );
});

test.each<[what: string, http: unknown, message: RegExp]>([
  ["no URL", {}, /http.url is undefined: give the URL/],
  ["a function for the URL", { url: () => "/trpc" }, /http.url is a function: give the URL of your tRPC route/],
  [
    "a misspelt transformer",
    { ...http, tranformer: {} },
    /http has no option "tranformer": did you mean "transformer"/,
  ],
  ["a misspelt EventSource", { ...http, eventSource: class {} }, /"eventSource": did you mean "EventSource"/],
  ["a misspelt option of tRPC's", { ...http, maxItem: 5 }, /"maxItem": did you mean "maxItems"/],
  [
    "half a transformer",
    { ...http, transformer: { input: superjson } },
    /transformer is an object: give serialize and/,
  ],
  ["a transformer's name", { ...http, transformer: "superjson" }, /transformer is "superjson": give serialize and/],
  ["text for headers", { ...http, headers: "authorization: x" }, /headers is "authorization: x": give an object, or a/],
  [
    "no function for fetch",
    { ...http, fetch: { credentials: "include" } },
    /fetch is an object: give a function, such/,
  ],
  ["no class for EventSource", { ...http, EventSource: {} }, /EventSource is an object: give a class, such as/],
  [
    "a function for the stream's options",
    { ...http, eventSourceOptions: () => ({}) },
    /a function: give an object, such/,
  ],
])("createSessionClient says what it cannot use of http: %s", (_, wrong, message) => {
  expect(() => create({ definition: shop, http: wrong })).toThrow(
    expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringMatching(message) }),
  );
});

test.each<[what: string, http: object]>([
  ["superjson", { transformer: superjson }],
  ["a transformer for each way", { transformer: { input: superjson, output: superjson } }],
  ["headers as an object", { headers: { authorization: "x" } }],
  ["headers as a function", { headers: async () => new Headers() }],
  ["its own fetch and stream", { fetch, EventSource: class {}, eventSourceOptions: { withCredentials: true } }],
  [
    "options of the app's own links",
    { maxItems: 5, maxURLLength: 2000, methodOverride: "POST", streamHeader: "accept" },
  ],
  ["what is like no option", { somethingOfTomorrow: true }],
  ["options that are left undefined", { transformer: undefined, headers: undefined, fetch: undefined }],
])("createSessionClient takes the object of a link: %s", (_, more) => {
  expect(() => create({ definition: shop, http: { ...http, ...more } })).not.toThrow();
});

test("createSessionClient looks at its options in development alone", () => {
  vi.stubEnv("NODE_ENV", "production");
  expect(() => create({ definition: shop, http, colour: "red" })).not.toThrow();
  vi.unstubAllEnvs();
});

test.each([
  ["development", true],
  ["production", false],
])("what a bundler makes of it for %s carries the checks: %s", async (environment, carries) => {
  const contents = `import { createSessionClient } from "./index.ts"; globalThis.make = createSessionClient;`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    format: "esm",
    minifySyntax: true,
    define: { "process.env.NODE_ENV": JSON.stringify(environment) },
  });
  for (const words of ["number of seconds", "maxURLLength", "did you mean"]) {
    expect(outputFiles[0]?.text.includes(words)).toBe(carries);
  }
});

test("createSessionClient takes every option that it has, and a URL object", () => {
  const options = { path: "shop.session", live: false, idle: 0, maxWait: Number.POSITIVE_INFINITY, name: "x" };
  const more = { initialSnapshot: null, onConflict: undefined, onExpired: undefined, surroundings: {} };
  expect(() =>
    create({ definition: shop, http: { url: new URL("https://shop.test/trpc") }, ...options, ...more }),
  ).not.toThrow();
});
