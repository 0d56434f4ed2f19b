import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parsePush } from "./schema.ts";
import { type Push, protocol } from "./wire.ts";

/**
 * What crosses the wire, by protocol. When this test fails, the messages have changed: raise `protocol` in wire.ts,
 * think what an old tab and a new server (and the reverse) make of each other, and add the new hash.
 */
const pinned: Record<number, string> = {
  1: "d9b0130ce07d87b7",
  // Pushes without changes carry a checksum. A tab and a server of two versions refuse each other, and nothing is lost.
  2: "6bfd1840aa15f395",
  // Notes name their writer and wait until a push has heard them. As before: two versions refuse each other.
  3: "51324005c09a7f0b",
  4: "bb27134207fba123",
  // The ops of a chain leave out what they began from: an older server would merge them as if from nothing.
  // And a server tells a browser that sends no cookie from one whose session has ended.
  5: "aba6b5787fcb1861",
  // Ops of keys that a server does not know are left out of what it has decided: an older client would forget them.
  // From here on without the import lines.
  6: "c596e720a7ddf91f",
};

test("the messages are those of their protocol", () => {
  const read = (file: string) => readFileSync(new URL(file, import.meta.url), "utf8");
  const op = /export interface Op \{[\s\S]*?\n\}/.exec(read("./patch.ts"))?.[0] ?? "";
  const schema = read("./schema.ts").split("/** Reads a push.")[0] ?? "";
  const isNone = /\/\*[\s\S]*?\*\/|\/\/.*$|^import [\s\S]*?;$/gm;
  const declared = (read("./wire.ts") + op + schema).replace(isNone, "").replace(/\s+/g, " ");
  expect(createHash("sha256").update(declared).digest("hex").slice(0, 16)).toBe(pinned[protocol]);
});

describe("parsePush refuses", () => {
  const good: Push = {
    protocol,
    identifier: "i".repeat(22),
    profile: "profile-1",
    writer: "writer-1",
    ops: [{ seq: 1, key: "note", value: '"x"', base: 0 }],
    upTo: 1,
    since: 0,
    acked: 0,
  };
  const op = good.ops[0];
  const many = Array.from({ length: 10_000 }, (_, i) => ({ ...op, seq: i + 1 }));
  const cases: Record<string, unknown> = {
    nothing: undefined,
    "a string": "push",
    "falling seqs": { ...good, ops: [{ ...op, seq: 2 }, op], upTo: 2 },
    "a seq that comes twice": { ...good, ops: [op, op] },
    "an op beyond upTo": { ...good, upTo: 0 },
    "a seq of 0": { ...good, ops: [{ ...op, seq: 0 }] },
    "a fractional revision": { ...good, since: 0.5 },
    "a key named __proto__": { ...good, ops: [{ ...op, key: "__proto__" }] },
    "a reserved key": { ...good, ops: [{ ...op, key: "~tokens" }] },
    "a value that is not encoded": { ...good, ops: [{ ...op, value: { a: 1 } }] },
    "an identifier of another alphabet": { ...good, identifier: "../../etc/passwd-and-more" },
    "a nonce that is too short to be secret": { ...good, nonce: "short" },
    "a field that it does not know": { ...good, admin: true },
    "a field that is missing": { ...good, writer: undefined },
  };
  for (const [name, input] of Object.entries(cases)) {
    test(name, () => expect(() => parsePush(input)).toThrow(expect.objectContaining({ code: "BAD_PUSH" })));
  }

  test("nothing of another protocol, which the server refuses by its number", () => {
    const later = { ...good, protocol: protocol + 1, ops: "in another shape", more: true };
    expect(parsePush(later)).toMatchObject({ protocol: protocol + 1, identifier: null, ops: [] });
  });

  test("more ops than one push carries, before it looks at any, with what to do", () => {
    const tooMany = { code: "LIMIT_EXCEEDED", message: expect.stringContaining("the rest in another") };
    expect(() => parsePush({ ...good, ops: many, upTo: 10_000 })).toThrow(expect.objectContaining(tooMany));
    const unread = new Proxy(many, {
      get: (ops, name) => (name === "length" ? ops.length : expect.unreachable(`reads ${String(name)}`)),
    });
    expect(() => parsePush({ ...good, ops: unread })).toThrow(expect.objectContaining(tooMany));
    const most = many.slice(0, 1_000);
    expect(parsePush({ ...good, ops: most, upTo: 1_000 }).ops).toHaveLength(1_000);
  });

  test("and quotes no value in its error", () => {
    const canary = { ...good, ops: [{ ...op, value: { canary: "canary-value" } }], nonce: "canary-value" };
    try {
      parsePush(canary);
      expect.unreachable();
    } catch (error) {
      expect(JSON.stringify(error)).not.toContain("canary-value");
    }
  });

  test("but takes what a client sends", () => {
    expect(parsePush(good)).toEqual(good);
    expect(parsePush({ ...good, identifier: null, nonce: "n".repeat(43) })).toBeTruthy();
  });
});
