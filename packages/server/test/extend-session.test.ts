import { defineSession, merge, value } from "@catnap/shared";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSessions, extendSession } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";

const shop = defineSession({
  shared: { note: value(z.string(), { adopt: true }), cart: value(z.array(z.string()), { merge: merge.union }) },
  readonly: { user: z.string() },
  secret: { old: z.string() },
});

const extended = () => extendSession(shop, { secret: { csrfSeed: z.string().default("s") } });

test("the server's half adds secret keys; what a browser may know of the definition stays the same", async () => {
  const definition = extended();
  expect([...definition.keys.values()].map(({ name, access }) => `${name} ${access}`)).toEqual([
    "note shared",
    "cart shared",
    "user readonly",
    "old secret",
    "csrfSeed secret",
  ]);
  expect(definition.fingerprint).toBe(shop.fingerprint);
  const sessions = createSessions({ definition, store: memoryStore(), sweepInterval: 0 });
  const response = await sessions.run(
    new Request("https://shop.example/"),
    (session) => new Response(session.value("csrfSeed")),
  );
  expect(await response.text()).toBe("s");
  await sessions.close();
});

test("a schema of the server's takes the place of the shared one, whose other options stay", () => {
  const definition = extendSession(shop, { schemas: { note: z.string().max(3), user: z.string().min(2) } });
  const note = definition.keys.get("note");
  expect([note?.adopt, definition.keys.get("cart")?.merge]).toEqual([true, merge.union]);
  expect(() => note?.encode("longer")).toThrow(expect.objectContaining({ code: "INVALID_VALUE" }));
  expect(() => definition.keys.get("user")?.encode("x")).toThrow(expect.objectContaining({ code: "INVALID_VALUE" }));
});

test("migrations and trust of both halves hold", () => {
  const definition = extendSession(shop, {
    secret: { plan: z.number() },
    migrate: { plan: (stored) => Number(stored), old: String },
    trust: ["plan"],
    dropped: ["basket"],
  });
  expect(definition.keys.get("plan")?.fit("5")).toBe("5");
  expect(definition.keys.get("old")?.fit(5)).toBe('"5"');
  expect([[...definition.trust], definition.dropped]).toEqual([["plan"], ["basket"]]);
});

const any = extendSession as (...args: unknown[]) => unknown;
test.for([
  ["no definition", () => any({}, {}), /takes what defineSession returned, not an object/],
  ["an option that does not exist", () => any(shop, { secrets: {} }), /no option "secrets": it takes secret,/],
  ["a key that there is already", () => any(shop, { secret: { note: z.string() } }), /declares "note" once more/],
  [
    "a schema of no key",
    () => any(shop, { schemas: { nota: z.string() } }),
    /"nota", which is no shared or readonly key/,
  ],
  ["a schema of a secret key", () => any(shop, { schemas: { old: z.string() } }), /"old", which is no shared/],
  ["no schema", () => any(shop, { secret: { plan: "text" } }), /"plan" has no schema/],
  [
    "a key that is renamed there already",
    () =>
      any(defineSession({ shared: { cart: z.string() }, renamed: { basket: "cart" } }), {
        secret: { plan: z.string() },
        renamed: { basket: "plan" },
      }),
    /renames "basket", which the definition does already: keep one/,
  ],
  [
    "a renaming of what a browser may see",
    () => any(shop, { renamed: { memo: "note" } }),
    /renames "memo" to "note", which is no secret key/,
  ],
  ["a migration of no key", () => any(shop, { migrate: { plan: String } }), /migrate names "plan", which is no key/],
] as const)("extendSession refuses %s with the remedy", ([, call, message]) => {
  expect(call).toThrow(expect.objectContaining({ message: expect.stringMatching(message) }));
});
