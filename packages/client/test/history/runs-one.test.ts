import { expect, test } from "vitest";
import { runs, runsMs } from "./runs.ts";

const name = "what ten clients are told over a bad network and a dying server is always consistent (half 1)";
test(name, { timeout: runsMs }, async () => expect(await runs(0)).toEqual([]));
