import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { after, every } from "./timers.ts";

const day = 86_400_000;

beforeEach(() => {
  vi.useFakeTimers();
  // Node's own, and what a browser does, too: what does not fit into 32 bits is no wait at all.
  const { setTimeout } = globalThis;
  vi.stubGlobal("setTimeout", (call: () => void, ms: number) => setTimeout(call, ms > 2 ** 31 - 1 ? 1 : ms));
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test("a wait of more than 25 days is as long as it says", () => {
  const calls: number[] = [];
  const start = Date.now();
  after(60 * day, () => calls.push(Date.now() - start));
  vi.advanceTimersByTime(60 * day - 1);
  expect(calls).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(calls).toEqual([60 * day]);
});

test("a wait without end is never over, one that was cancelled neither", () => {
  const calls: string[] = [];
  after(Number.POSITIVE_INFINITY, () => calls.push("endless"));
  const cancel = after(40 * day, () => calls.push("cancelled"));
  vi.advanceTimersByTime(30 * day);
  cancel();
  vi.advanceTimersByTime(100 * day);
  expect(calls).toEqual([]);
});

test("every so often is every so often, until it is cancelled, also by its own call", () => {
  const calls: number[] = [];
  const start = Date.now();
  const cancel = every(30 * day, () => {
    calls.push(Date.now() - start);
    if (calls.length === 3) cancel();
  });
  vi.advanceTimersByTime(200 * day);
  expect(calls).toEqual([30 * day, 60 * day, 90 * day]);
});
