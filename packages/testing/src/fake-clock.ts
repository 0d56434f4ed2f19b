import { assertFinite } from "./checks.ts";

/** A clock that stands still until it is told: pass its `now` where Catnap takes one. */
export interface FakeClock {
  /** Epoch milliseconds. */
  now(): number;
  /** Moves the clock by that many seconds; a negative number sets it back, as an operator might. */
  advance(seconds: number): void;
}

/** Makes a clock that shows `start`, in epoch milliseconds; by default an evening in November 2023. Throws `INVALID_OPTION` for what is no finite number. */
export function fakeClock(start = 1_700_000_000_000): FakeClock {
  assertFinite("fakeClock: start", start, "epoch milliseconds");
  let time = start;
  return {
    now: () => time,
    advance(seconds) {
      assertFinite("fakeClock: advance", seconds, "a number of seconds");
      time += seconds * 1000;
    },
  };
}
