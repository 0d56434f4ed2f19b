import fc from "fast-check";
import { play } from "./play.ts";
import { schedules } from "./schedule.ts";
import { Tally } from "./tally.ts";

/** How many schedules all searches together play: few beside other work, 14,000 in CI, 100,000 before a release. */
const all = Number(process.env.CATNAP_SCHEDULES ?? (process.env.CI ? 14_000 : 2_000));
/** The searches run side by side, each in a file of its own, since a file is what a test runner gives to a core. */
const searches = 2;

/** CI plays the same schedules each time, so that it judges the change at hand; every other run plays new ones. */
const seed = Number(process.env.CATNAP_SEED ?? (process.env.CI ? 1996 : Math.floor(Math.random() * 2 ** 31)));

/**
 * Searches for a schedule that breaks an invariant. A failure names its seed, its path and the shortest schedule that it
 * could be shrunk to; `CATNAP_SEED` plays that seed again.
 */
export async function search(which: number): Promise<number> {
  const numRuns = Math.ceil(all / searches);
  const tally = new Tally();
  await fc.assert(
    fc.asyncProperty(schedules(40), (steps) => play(steps, tally)),
    { numRuns, seed: seed + which },
  );
  console.log(`${numRuns} schedules from seed ${seed} hold. ${tally.report()}`);
  return numRuns;
}

/** Long enough for CI's share on a slow machine. */
export const searchMs = 900_000;
