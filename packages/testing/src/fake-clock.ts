/** A clock that stands still until it is told: pass its `now` where Catnap takes one. */
export interface FakeClock {
  /** Epoch milliseconds. */
  now(): number;
  /** Moves the clock by that many seconds; a negative number sets it back, as an operator might. */
  advance(seconds: number): void;
}

/** Makes a clock that shows `start`, in epoch milliseconds; by default an evening in November 2023. */
export function fakeClock(start = 1_700_000_000_000): FakeClock {
  let time = start;
  return {
    now: () => time,
    advance(seconds) {
      time += seconds * 1000;
    },
  };
}
