import { expect, test } from "vitest";
import { play } from "./play.ts";
import type { Step } from "./schedule.ts";

const at = (device: number, tab = 0) => ({ device, tab });
const network = (rounds: number): Step => ({ ...at(0), do: "network", rounds });

/** What the search has found once of requests that hang, gateways, cookies, rendered pages and drags: each must hold for ever. */
const found: Record<string, Step[]> = {
  "a page that asked as another browser than it turns out to be shows nothing of its sibling twice": [
    { ...at(0), do: "note" },
    { ...at(0), do: "sleep" },
    network(1),
    { ...at(0), do: "render" },
    { ...at(0), do: "share" },
    { ...at(1), do: "load", late: false },
    { ...at(1), do: "visit" },
    { ...at(0), do: "gateway", message: 1, handled: true, status: 401 },
    network(1),
    { ...at(0), do: "note" },
  ],
  "a browser that keeps no cookie adopts from a session that has expired once, and not again and again": [
    { ...at(0), do: "note" },
    { ...at(0), do: "open" },
    { ...at(0), do: "meet" },
    { ...at(0), do: "disk", health: "full", writing: false },
    { ...at(0), do: "limit", bytes: 600, essay: false },
    { ...at(0), do: "visit" },
    { ...at(0), do: "refuse cookies" },
    { ...at(0), do: "pass", seconds: 3601 },
    { ...at(0), do: "crash", calls: 0, sending: false, lost: false },
  ],
  "what has waited for another version goes home at once, though a small gateway lets it pass one by one": [
    { ...at(0), do: "deploy", version: "older", rolling: true },
    { ...at(0), do: "tag" },
    { ...at(0), do: "open" },
    { ...at(1), do: "drag", key: "tag", frames: 14 },
    { ...at(1), do: "meet" },
    { ...at(0), do: "limit", bytes: 600, essay: false },
  ],
  "of tabs that begin in one moment, what one has put aside as it ended is not lost by what another takes out there": [
    { ...at(0), do: "rush" },
    { ...at(0), do: "disk", health: "full", writing: false },
    network(3),
    { ...at(0), do: "close", lost: false },
    { ...at(0), do: "visit" },
    { ...at(0), do: "close", lost: true },
    { ...at(0), do: "deliver", message: 0 },
  ],
  "a tab whose request has hung is offline no longer when the server has answered that the session has expired": [
    { ...at(0), do: "note" },
    { ...at(0), do: "open" },
    { ...at(0), do: "meet" },
    { ...at(0), do: "hang", message: 0, where: "there" },
    { ...at(0), do: "pass", seconds: 3601 },
    network(1),
    { ...at(0, 1), do: "invalidate" },
  ],
  "what a page has put aside is not sent without what its disk has of it, which another page cannot read": [
    { ...at(1), do: "hang", message: 0, where: "there" },
    { ...at(1), do: "limit", bytes: 600, essay: true },
    { ...at(1), do: "disk", health: "broken", writing: true },
    { ...at(1), do: "hide" },
    { ...at(1), do: "load", late: true },
  ],
  "a session that a rendered page knew before its browser had met it ends in all tabs of the browser": [
    { ...at(1), do: "drag", key: "visit", frames: 5 },
    { ...at(1), do: "sleep" },
    { ...at(0), do: "note" },
    { ...at(0), do: "meet" },
    { ...at(0), do: "pass", seconds: 1 },
    { ...at(0), do: "invalidate" },
    { ...at(1), do: "load", late: false },
    network(1),
  ],
  "what waits for another version is done when that has taken it, though the older one has refused a later change": [
    { ...at(0), do: "deploy", version: "older", rolling: true },
    { ...at(0), do: "tag" },
    { ...at(0), do: "mood" },
    { ...at(0), do: "open" },
    { ...at(0), do: "pass", seconds: 1 },
    { ...at(0), do: "crash", calls: 0, sending: false, lost: false },
    { ...at(0), do: "sleep" },
  ],
  "a page of an older version that cannot read a change of another takes it home with those that came after": [
    { ...at(0), do: "deploy", version: "older", rolling: true },
    { ...at(0), do: "tag" },
    { ...at(0), do: "mood" },
    { ...at(0), do: "open" },
    { ...at(0), do: "load", late: true },
    { ...at(0), do: "crash", calls: 0, sending: true, lost: false },
    { ...at(0), do: "restart" },
  ],
  "what two tabs have adopted of one session, each with a count of its own, is settled by one answer": [
    { ...at(0), do: "rush" },
    { ...at(0), do: "close", lost: false },
    network(1),
    { ...at(0), do: "freeze" },
    { ...at(0), do: "pass", seconds: 3601 },
    network(1),
    { ...at(0), do: "clear site data" },
    { ...at(1), do: "gateway", message: 0, handled: false, status: 401 },
    { ...at(0), do: "sleep" },
  ],
  "a page that comes back as its request fails asks again": [
    { ...at(0), do: "disk", health: "broken", writing: false },
    { ...at(0), do: "open" },
    { ...at(0), do: "visit" },
    { ...at(0, 1), do: "tag" },
    { ...at(0), do: "invalidate" },
    { ...at(0), do: "freeze" },
    { ...at(0), do: "gateway", message: 1, handled: false, status: 401 },
  ],
};

for (const [name, steps] of Object.entries(found)) test(name, async () => expect(await play(steps)).toBeUndefined());
