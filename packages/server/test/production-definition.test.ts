import { defineSession, merge, SessionError, value } from "@catnap/shared";
import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { createSessions } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import type { Loose } from "./refuses.ts";

const define: Loose = defineSession;
const lists = value as Loose;
const text = z.string();

const wrong: [what: string, groups: unknown][] = [
  ["nothing at all", undefined],
  ["null", null],
  ["text", "shop"],
  ["a misspelt group", { share: { x: text } }],
  ["no schema", { shared: { x: undefined } }],
  ["text for a schema", { shared: { x: "light" } }],
  ["value of nothing", { secret: { x: lists(undefined, {}) } }],
  ["a name taken twice", { shared: { x: text }, secret: { x: text } }],
  ["a reserved name", { shared: { "~tokens": text } }],
  ["a misspelt limit", { limits: { valueByte: 5 } }],
  ["text for the limits", { limits: "small" }],
  ["a name that is none", { name: "a b" }],
  ["a name that is no text", { name: 5 }],
  ["a misspelt option of value", { shared: { x: lists(text, { marge: merge.max }) } }],
  ["a merge that was not called", { shared: { x: lists(z.array(z.object({ id: text })), { merge: merge.byId }) } }],
  ["text for a switch", { shared: { x: lists(text, { disk: "no" }) } }],
];

afterEach(() => {
  vi.unstubAllEnvs();
});

function thrown(call: () => unknown): SessionError | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return SessionError.from(error) ?? undefined;
  }
}

test.each(wrong)("a production server refuses a definition of %s in the words of development", (_, groups) => {
  const early = thrown(() => define(groups));
  expect(early).toMatchObject({ code: "INVALID_DEFINITION" });
  vi.stubEnv("NODE_ENV", "production");
  const definition = define(groups) as ReturnType<typeof defineSession>;
  const late = thrown(() => createSessions({ definition, store: memoryStore() }));
  expect(late?.toJSON()).toEqual(early?.toJSON());
});

test("a definition that a production server takes is the one of development", () => {
  const groups = { name: "shop", shared: { x: text, y: value(text, { disk: false }) }, limits: { valueBytes: 10 } };
  const early = defineSession(groups);
  vi.stubEnv("NODE_ENV", "production");
  expect(defineSession(groups)).toMatchObject({
    name: "shop",
    limits: early.limits,
    fingerprint: early.fingerprint,
  });
});
