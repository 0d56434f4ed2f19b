import { expect, test } from "vitest";
import { z } from "zod";
import { counter, defineSession, value } from "./definition/definition.ts";
import { Session } from "./session/session.ts";
import { SessionError } from "./session-error.ts";

// What a caller without types may pass: each function is called through this.
const loose = (call: unknown) => call as (...args: unknown[]) => unknown;
const define = loose(defineSession);
const text = z.string();

test.for<[what: string, call: () => unknown, message: RegExp]>([
  [
    "no groups",
    () => define(),
    /takes shared, readonly, secret, name, limits, migrate, dropped, trust, renamed, not "nothing"/,
  ],
  [
    "null for groups",
    () => define(null),
    /takes shared, readonly, secret, name, limits, migrate, dropped, trust, renamed/,
  ],
  [
    "text for groups",
    () => define("shop"),
    /takes shared, readonly, secret, name, limits, migrate, dropped, trust, renamed, not "0"/,
  ],
  ["a misspelt group", () => define({ share: { x: text } }), /takes shared, .*, not "share"/],
  ["keys outside of a group", () => define({ theme: text }), /takes shared, .*, not "theme"/],
  ["text for a schema", () => define({ shared: { x: "light" } }), /"x" has no schema: give one of Standard Schema/],
  ["nothing for a schema", () => define({ shared: { x: undefined } }), /"x" has no schema/],
  ["null for a schema", () => define({ shared: { x: null } }), /"x" has no schema/],
  ["value of nothing", () => define({ secret: { x: loose(value)(undefined, {}) } }), /"x" has no schema/],
  ["value of null", () => define({ secret: { x: loose(value)(null) } }), /"x" has no schema/],
  ["a counter that was not called", () => define({ shared: { x: counter } }), /"x" has no schema/],
  ["one schema for a group", () => define({ shared: z.object({ x: text }) }), /has no schema/],
  ["a misspelt limit", () => define({ limits: { valueByte: 5 } }), /limits.valueByte is 5: give valueBytes and/],
  [
    "text for a limit",
    () => define({ limits: { valueBytes: "5" } }),
    /limits.valueBytes is "5": .*whole numbers above 0/,
  ],
  ["text for the limits", () => define({ limits: "small" }), /limits.0 is "s": give valueBytes and sessionBytes/],
  [
    "a value to adopt that browsers cannot write",
    () => define({ readonly: { x: value(text, { adopt: true }) } }),
    /"x" cannot have adopt: true, since it is readonly: a browser adopts shared values that rest on its disk/,
  ],
  [
    "a value to adopt that rests on no disk",
    () => define({ shared: { x: value(text, { adopt: true, disk: false }) } }),
    /"x" cannot have adopt: true, since disk: false keeps it off the disk/,
  ],
  [
    "a key that was renamed to none",
    () => define({ shared: { x: text }, renamed: { old: "y" } }),
    /renamed names "y", as the new name of "old", which has to be a key of this definition/,
  ],
  [
    "a key that was renamed from two",
    () => define({ shared: { x: text }, renamed: { old: "x", older: "x" } }),
    /renamed names "x", as the new name of two keys: keep the line with the oldest name/,
  ],
  [
    "a key that was renamed twice in two lines",
    () => define({ shared: { x: text }, renamed: { older: "old", old: "x" } }),
    /renamed goes by way of "old": give the oldest name and today's alone, in one line/,
  ],
  [
    "a key that was renamed from one that there is",
    () => define({ shared: { x: text, y: text }, renamed: { x: "y" } }),
    /renamed names "x", which is a key of this definition: keep one of the two/,
  ],
  ["a name that is none", () => define({ name: "a b" }), /"a b" is no name: use a letter, then/],
])("defineSession refuses %s with what it takes", ([, call, message]) => {
  expect(call).toThrow(SessionError);
  expect(call).toThrow(
    expect.objectContaining({ code: "INVALID_DEFINITION", message: expect.stringMatching(message) }),
  );
});

test("a schema whose own methods are named like the options of value is a bare schema", () => {
  const { keys } = defineSession({ shared: { x: Object.assign(z.string(), { merge: () => "", disk: false }) } });
  expect(keys.get("x")).toMatchObject({ merge: undefined, disk: true });
});

test("value without options is the bare schema", () => {
  const { keys, fingerprint } = defineSession({ shared: { x: value(text) } });
  expect(keys.get("x")).toMatchObject({ merge: undefined, disk: true });
  expect(fingerprint).toBe(defineSession({ shared: { x: text } }).fingerprint);
});

test.for([
  ["5", /not the string 5/],
  [undefined, /not the undefined undefined/],
  [-1, /finite number of seconds from 0 on, not the number -1/],
  [5n, /not the bigint 5/],
] as const)("a timeout that is no number of seconds is refused with its type: %s", ([seconds, message]) => {
  // The timeout is looked at before the home is asked for anything.
  const session = new Session({ decoded: new Map() } as never);
  expect(() => session.setTimeout(seconds as never)).toThrow(
    expect.objectContaining({ code: "INVALID_TIMEOUT", message: expect.stringMatching(message) }),
  );
});
