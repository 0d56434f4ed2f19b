import { memoryStore } from "@catnap/server/memory";
import { expect, test } from "vitest";
import { fakeClock } from "./fake-clock.ts";
import { faultStore } from "./fault-store.ts";
import { storeLaws } from "./store-laws.ts";

// What a caller without types may pass: each function is called through this.
const loose = (call: unknown) => call as (...args: unknown[]) => Promise<unknown>;
const check = loose(storeLaws[0]?.check);
const leaseCheck = loose(storeLaws.at(-1)?.check);
const fault = loose(faultStore);

test.for<[what: string, call: () => unknown, message: RegExp]>([
  ["a clock that starts at a text", () => loose(fakeClock)("now"), /fakeClock: start is no finite number: give epoch/],
  ["a clock that starts at a Date", () => loose(fakeClock)(new Date(0)), /fakeClock: start is no finite number/],
  [
    "a clock that moves by nothing",
    () => loose(fakeClock().advance)(),
    /advance is no finite number: give a number of s/,
  ],
  ["faults of no store", () => fault(), /faultStore: the first argument is no SessionStore: give one/],
  ["faults of a store that was not called", () => fault(memoryStore), /first argument is no SessionStore/],
  ["faults that nobody decides", () => fault(memoryStore()), /second argument is no function/],
  [
    "a fault of no kind",
    () => faultStore(memoryStore(), () => ({ kind: "fail" }) as never).read("a"),
    /this read is none/,
  ],
  ["a law of nothing", () => check(), /check takes a function: check\(async \(\) => \(\{ store \}\)\)/],
  ["a law of a store", () => check(memoryStore()), /check takes a function/],
  [
    "a law of a function that gives a store itself",
    () => check(memoryStore),
    /store of check's function is no SessionStore/,
  ],
  ["a law of leases, of the same", () => leaseCheck(memoryStore), /store of check's function is no SessionStore/],
])("%s is refused with the remedy", async ([, call, message]) => {
  const thrown = await (async () => call())().catch((error: unknown) => error);
  expect(thrown).toMatchObject({
    name: "SessionError",
    code: "INVALID_OPTION",
    message: expect.stringMatching(message),
  });
});
