import { expect, test, vi } from "vitest";
import { shop } from "../test/shop.ts";
import { createSessionClient } from "./index.ts";

const create = createSessionClient as unknown as (options?: unknown) => unknown;
const http = { url: "/trpc" };

test.each<[what: string, options: unknown, message: RegExp]>([
  ["nothing", undefined, /createSessionClient takes its options as an object with any of definition, http/],
  ["no definition", { http }, /definition is undefined: pass what defineSession/],
  ["the groups of a definition", { definition: { shared: {} }, http }, /definition is an object: pass/],
  ["no http", { definition: shop }, /http is undefined: pass the object that your httpLink gets/],
  ["http without a URL", { definition: shop, http: {} }, /http.url is undefined: give the URL/],
  ["a URL for http", { definition: shop, http: "/trpc" }, /http is "\/trpc": pass the object/],
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

test("createSessionClient looks at its options in development alone", () => {
  vi.stubEnv("NODE_ENV", "production");
  expect(() => create({ definition: shop, http, colour: "red" })).not.toThrow();
  vi.unstubAllEnvs();
});

test("createSessionClient takes every option that it has, and a URL object", () => {
  const options = { path: "session", live: false, idle: 1, name: "x", initialSnapshot: undefined };
  const more = { onConflict: undefined, onExpired: undefined, surroundings: {} };
  expect(() =>
    create({ definition: shop, http: { url: new URL("https://shop.test/trpc") }, ...options, ...more }),
  ).not.toThrow();
});
