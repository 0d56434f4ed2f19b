import { expect, test } from "vitest";
import { play } from "./play.ts";
import type { Step } from "./schedule.ts";

const at = (device: number, tab = 0) => ({ device, tab });
const network = (rounds: number): Step => ({ ...at(0), do: "network", rounds });

/** What the search has found once of requests that hang, gateways, cookies, rendered pages and drags: each must hold for ever. */
const found: Record<string, Step[]> = {
  "a tab whose request has hung is offline no longer when the server has answered that the session has expired": [
    { ...at(0), do: "note" },
    { ...at(0), do: "open" },
    { ...at(0), do: "meet" },
    { ...at(0), do: "hang", message: 0, where: "there" },
    { ...at(0), do: "pass", seconds: 3601 },
    network(1),
    { ...at(0, 1), do: "invalidate" },
  ],
};

for (const [name, steps] of Object.entries(found)) test(name, async () => expect(await play(steps)).toBeUndefined());
