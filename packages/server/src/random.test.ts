import { afterEach, expect, test, vi } from "vitest";
import { randomText } from "./random.ts";

const draws = vi.hoisted(() => [] as Uint8Array[]);
vi.mock("node:crypto", async (load) => {
  const real = await load<typeof import("node:crypto")>();
  return {
    ...real,
    randomFillSync(bytes: Uint8Array) {
      draws.push(bytes);
      return real.randomFillSync(bytes);
    },
  };
});

afterEach(() => void vi.useRealTimers());

test("random texts have the length that was asked for, and none comes twice", () => {
  const texts = Array.from({ length: 10_000 }, (_, n) => randomText(n % 2 ? 32 : 16));
  expect(texts.map(({ length }) => length)).toEqual(texts.map((_, n) => (n % 2 ? 43 : 22)));
  expect(new Set(texts).size).toBe(texts.length);
  expect(texts.join("")).toMatch(/^[\w-]+$/);
  expect(randomText(1_024)).not.toBe(randomText(1_024));
});

test("many texts take few draws, and what was given does not stay in memory", () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const before = draws.length;
  const texts = Array.from({ length: 100 }, () => randomText(32));
  expect(draws.length - before).toBeLessThanOrEqual(4);
  const left = Buffer.from(draws.at(-1) ?? []).toString("latin1");
  for (const text of texts) expect(left).not.toContain(Buffer.from(text, "base64url").toString("latin1"));
});

test.each([2_000, -2_000])("what was drawn is not given %i ms later, in a copy of the machine", (ms) => {
  vi.useFakeTimers({ toFake: ["Date"] });
  randomText(1_000);
  randomText(16);
  const before = draws.length;
  randomText(1);
  expect(draws.length).toBe(before);
  vi.setSystemTime(Date.now() + ms);
  randomText(1);
  expect(draws.length).toBe(before + 1);
});
