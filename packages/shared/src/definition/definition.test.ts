import { describe, expect, test } from "vitest";
import { z } from "zod";
import { SessionError } from "../session-error.ts";
import { counter, defineSession, value } from "./definition.ts";
import { merge } from "./merge.ts";

const keyOf = (definition: ReturnType<typeof defineSession>, name: string) => {
  const key = definition.keys.get(name);
  if (!key) throw new Error(`no key ${name}`);
  return key;
};
const codeOf = (make: () => unknown) => {
  try {
    make();
    return "accepted";
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

describe("defineSession refuses", () => {
  const text = z.string();
  const cases: Record<string, () => unknown> = {
    "a name taken twice": () => defineSession({ shared: { a: text }, secret: { a: text } }),
    "a prototype's name": () => defineSession({ shared: JSON.parse('{"__proto__": 1}') as never }),
    "an empty name": () => defineSession({ shared: { "": text } }),
    "a reserved name": () => defineSession({ shared: { "~tokens": text } }),
    "a name of 65 letters": () => defineSession({ shared: { ["a".repeat(65)]: text } }),
    "something that is no schema": () => defineSession({ shared: { a: { schema: 1 } as never } }),
    "limits that are no whole numbers": () => defineSession({ limits: { valueBytes: 0.5 } }),
  };
  for (const [name, make] of Object.entries(cases)) test(name, () => expect(codeOf(make)).toBe("INVALID_DEFINITION"));

  test("an asynchronous schema, at its first use", () => {
    const later = defineSession({ shared: { a: z.string().refine(async () => true) } });
    expect(codeOf(() => keyOf(later, "a").encode("x"))).toBe("INVALID_DEFINITION");
  });
});

describe("a key", () => {
  const shop = defineSession({
    shared: {
      theme: z.enum(["light", "dark"]).default("light"),
      list: z.array(z.object({ n: z.number() })).default([{ n: 1 }]),
    },
    secret: { pin: z.string().regex(/^\d+$/) },
    limits: { valueBytes: 50 },
  });

  test("gives the schema's issues, and where", () => {
    expect(() => keyOf(shop, "list").encode([{ n: 1 }, { n: "x" }])).toThrow(
      expect.objectContaining({
        code: "INVALID_VALUE",
        key: "list",
        issues: [expect.objectContaining({ path: [1, "n"] })],
      }),
    );
  });

  test("never quotes a secret's schema, which may quote the value", () => {
    expect(() => keyOf(shop, "pin").encode("canary")).toThrow(
      expect.not.objectContaining({ issues: expect.anything() }),
    );
  });

  test("refuses a value over limits.valueBytes, counted in bytes", () => {
    expect(codeOf(() => keyOf(shop, "pin").encode("1".repeat(49)))).toBe("LIMIT_EXCEEDED");
    expect(codeOf(() => keyOf(shop, "pin").encode("1".repeat(48)))).toBe("accepted");
  });

  test("refuses undefined, which would be no value", () => {
    const loose = defineSession({ shared: { a: z.string().optional() } });
    expect(codeOf(() => keyOf(loose, "a").encode(undefined))).toBe("INVALID_VALUE");
  });

  test("hands every session its own copy of a default", () => {
    const [one, other] = [keyOf(shop, "list").fallback(), keyOf(shop, "list").fallback()] as [
      { n: number }[],
      { n: number }[],
    ];
    one[0] = { n: 99 };
    expect(other).toEqual([{ n: 1 }]);
    expect(keyOf(shop, "list").fallback()).toEqual([{ n: 1 }]);
  });
});

test("the fingerprint changes with names, groups and merges, and with nothing else", () => {
  const print = (shared: Parameters<typeof defineSession>[0]) => defineSession(shared).fingerprint;
  const base = print({ shared: { a: z.string(), b: counter() } });
  expect(print({ shared: { b: counter(), a: z.number() } })).toBe(base);
  expect(print({ shared: { a: z.string() }, readonly: { b: counter() } })).not.toBe(base);
  expect(print({ shared: { a: value(z.array(z.string()), { merge: merge.union }), b: counter() } })).not.toBe(base);
});

test("a value too deep for a recursive schema is refused, and leaves no promise that rejects behind", async () => {
  const { keys } = defineSession({ shared: { tree: z.json() } });
  const escaped: unknown[] = [];
  const note = (error: unknown) => void escaped.push(error);
  process.on("unhandledRejection", note);
  // Straight from the app, past the look that the server takes at what comes off the wire.
  const deep = JSON.parse("[".repeat(60_000) + "]".repeat(60_000));
  expect(() => keys.get("tree")?.encode(deep)).toThrow(SessionError);
  await new Promise((resolve) => setTimeout(resolve, 0));
  process.off("unhandledRejection", note);
  expect(escaped).toEqual([]);
});
