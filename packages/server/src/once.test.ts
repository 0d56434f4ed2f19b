import { SessionError } from "@catnap/shared";
import { expect, test, vi } from "vitest";
import { once } from "./once.ts";

test("a name is one thing, also for another copy of the module", async () => {
  const make = vi.fn(() => ({ opened: true }));
  const first = once("a store", make);
  vi.resetModules();
  const copy = await import("./once.ts");
  expect(copy.once).not.toBe(once);
  expect(copy.once("a store", make)).toBe(first);
  expect(make).toHaveBeenCalledTimes(1);
  expect(once("another store", make)).not.toBe(first);
});

test("what could not be made is made by the next call", () => {
  expect(() =>
    once("a file", () => {
      throw new Error("locked");
    }),
  ).toThrow("locked");
  expect(once("a file", () => "opened")).toBe("opened");
});

test("a call without a name or a function says what once takes", () => {
  for (const call of [
    () => once("", () => 1),
    () => once("store", "app.db" as never),
    () => once((() => 1) as never, undefined as never),
  ])
    expect(call).toThrow(SessionError);
});
