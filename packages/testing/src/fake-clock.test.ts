import { expect, test } from "vitest";
import { fakeClock } from "./fake-clock.ts";

test("a fake clock stands still until it is advanced, by seconds", () => {
  const clock = fakeClock(1000);
  expect(clock.now()).toBe(1000);
  clock.advance(1.5);
  expect(clock.now()).toBe(2500);
  clock.advance(-2);
  expect(clock.now()).toBe(500);
});
