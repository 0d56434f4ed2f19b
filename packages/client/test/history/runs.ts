import { type Report, run } from "./run.ts";

/** How many runs all files together make: few beside other work, more in CI. */
const all = Number(process.env.CATNAP_HISTORIES ?? (process.env.CI ? 30 : 4));
const operations = 500;
/** Side by side, each in a file of its own, since a file is what a test runner gives to a core. */
const files = 2;

/** Makes one file's share of the runs, from seed 1 on, and tells what was checked. Gives what was wrong, by seed. */
export async function runs(which: number): Promise<string[]> {
  const wrong: string[] = [];
  const total: Record<string, number> = { runs: 0 };
  const count = (name: string, more: number) => {
    total[name] = (total[name] ?? 0) + more;
  };
  for (let seed = 1 + which; seed <= all; seed += files) {
    const report: Report = await run(seed, operations);
    wrong.push(...report.wrong.map((what) => `seed ${seed}: ${what}`));
    count("runs", 1);
    count("events", report.events);
    count("requests", report.requests);
    for (const [fault, times] of Object.entries(report.faults)) count(fault, times);
  }
  console.log(`${wrong.length} anomalies in ${JSON.stringify(total)}`);
  return wrong;
}

/** Long enough for CI's share on a slow machine. */
export const runsMs = 900_000;
