import { expectTypeOf } from "vitest";
import { z } from "zod";
import {
  type AnyDefinition,
  type BaseSession,
  counter,
  defineSession,
  type InputOf,
  merge,
  type Session,
  type ValueOf,
  value,
  type WritableNameOf,
} from "../index.ts";

const shop = defineSession({
  shared: {
    theme: z.enum(["light", "dark"]).default("light"),
    cart: value(z.array(z.object({ sku: z.string(), count: z.number() })).default([]), { merge: merge.byId("sku") }),
    tags: value(z.set(z.string()), { merge: merge.union }),
    latest: value(z.date(), { merge: merge.max }),
    profile: value(z.object({ name: z.string(), city: z.string().optional() }), { merge: merge.fields }),
    own: value(z.string(), { merge: (base, mine, theirs) => `${base ?? ""}${mine}${theirs}` }),
    visits: counter(),
  },
  readonly: { user: z.object({ id: z.string(), name: z.string() }) },
  secret: { csrfSeed: z.string() },
});

declare const server: Session<typeof shop>;
declare const browser: BaseSession<typeof shop, "browser">;

expectTypeOf(server.value("theme")).toEqualTypeOf<"light" | "dark">();
expectTypeOf(browser.value("tags")).toEqualTypeOf<Set<string>>();
expectTypeOf(server.value("csrfSeed")).toEqualTypeOf<string>();
expectTypeOf(browser.value("user", null)).toEqualTypeOf<{ id: string; name: string } | null>();
expectTypeOf(browser.values()).toHaveProperty("theme").toEqualTypeOf<"light" | "dark" | undefined>();
expectTypeOf(browser.values()).not.toHaveProperty("csrfSeed");
expectTypeOf(browser.update("visits", (n) => n + 1)).toEqualTypeOf<number>();
browser.setValue("cart", [{ sku: "a", count: 1 }]);
for (const [name] of browser)
  expectTypeOf(name).toExtend<"theme" | "cart" | "tags" | "latest" | "profile" | "own" | "visits" | "user">();

// @ts-expect-error an unknown name
server.value("thema");
// @ts-expect-error a wrong value
server.setValue("theme", "blue");
// @ts-expect-error the value of another key
server.setValue("theme", 1);
// @ts-expect-error a readonly key, in the browser
browser.setValue("user", { id: "1", name: "Ann" });
// @ts-expect-error a secret key, in the browser
browser.value("csrfSeed");
// @ts-expect-error a secret key, in the browser
browser.delValue("csrfSeed");
// @ts-expect-error the fallback of another type is kept apart
const _theme: "light" | "dark" = server.value("theme", 1);
// @ts-expect-error a merge of another type than the schema's
value(z.number(), { merge: merge.union });
// @ts-expect-error byId needs items with that field
value(z.array(z.object({ id: z.string() })), { merge: merge.byId("sku") });
// @ts-expect-error no schema
defineSession({ shared: { a: "string" } });
// @ts-expect-error a secret key, in the browser
browser.setValue("csrfSeed", "x");

// Helpers that are generic over the key, or over the whole definition, need no assertion.
const _write = <K extends WritableNameOf<typeof shop, "browser">>(name: K, next: InputOf<typeof shop, K>) => {
  browser.setValue(name, next);
  browser.update(name, () => next);
  browser.delValue(name);
};
const _clear = <D extends AnyDefinition>(session: Session<D>, name: WritableNameOf<D, "server">) => {
  if (session.hasValue(name)) session.delValue(name);
};
expectTypeOf<WritableNameOf<typeof shop, "browser">>().toEqualTypeOf<
  "theme" | "cart" | "tags" | "latest" | "profile" | "own" | "visits"
>();

// What the server's session alone has.
expectTypeOf(server).toHaveProperty("login");
expectTypeOf(browser).not.toHaveProperty("login");

// Other versions of a definition: names are those of its keys, and what a migration gives is of the key's type.
const versions = { shared: { theme: z.string() }, readonly: { role: z.string() } };
const moved = defineSession({
  ...versions,
  migrate: {
    theme(stored) {
      expectTypeOf(stored).toBeUnknown();
      return "x";
    },
    role: () => undefined,
  },
  trust: ["role"],
  dropped: ["basket"],
  renamed: { skin: "theme" },
});
expectTypeOf<ValueOf<typeof moved, "theme">>().toBeString();
// @ts-expect-error no key of this name
defineSession({ ...versions, migrate: { thema: () => "x" } });
// @ts-expect-error a number is no theme
defineSession({ ...versions, migrate: { theme: () => 5 } });
// @ts-expect-error browsers write it still
defineSession({ ...versions, trust: ["theme"] });
// @ts-expect-error no key of this name
defineSession({ ...versions, renamed: { skin: "thema" } });
