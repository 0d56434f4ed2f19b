import { expect, test } from "vitest";
import { play } from "./play.ts";
import type { Step } from "./schedule.ts";

const at = (device: number, tab = 0) => ({ device, tab });
const network = (rounds: number): Step => ({ ...at(0), do: "network", rounds });
const second: Step = { ...at(0), do: "pass", seconds: 1 };

/** What the search has found once, shrunk: each must hold for ever. */
const found: Record<string, Step[]> = {
  "a sibling that takes a living tab for dead does not make its change count twice on screen": [
    { ...at(0), do: "visit" },
    { ...at(0), do: "open" },
    network(1),
    network(1),
    { ...at(0), do: "deliver", message: 0 },
  ],
  "a tab that meets its session in an answer believes what it says of the tab's own changes": [
    { ...at(1), do: "note" },
    { ...at(1), do: "sleep" },
    network(1),
    { ...at(0), do: "awake" },
    { ...at(1), do: "share" },
    { ...at(0), do: "visit" },
    second,
  ],
  "a change that may still get another number leaves no row under its first": [
    { ...at(1), do: "awake" },
    { ...at(1), do: "invalidate" },
    { ...at(1), do: "visit" },
    { ...at(1), do: "open" },
  ],
  "what goes home before there is a session goes under one nonce, though the disk was lost": [
    { ...at(1), do: "note" },
    { ...at(1), do: "evict" },
    { ...at(1), do: "visit" },
    { ...at(0), do: "note" },
  ],
  "what is forgotten before there is a session is forgotten by a tab that was asleep": [
    { ...at(1), do: "open" },
    { ...at(1), do: "visit" },
    { ...at(1, 1), do: "invalidate" },
    { ...at(1, 1), do: "note" },
  ],
  "what a tab that never awoke wipes is forgotten by its awake siblings, who begin anew under one nonce with it": [
    { ...at(0), do: "open" },
    { ...at(0, 1), do: "visit" },
    { ...at(0), do: "deliver", message: 0 },
    { ...at(0), do: "answer", message: 0 },
    { ...at(0), do: "invalidate" },
    { ...at(0), do: "note" },
    { ...at(0), do: "sleep" },
  ],
  "a late answer does not pass for all of a session whose values the page has put away": [
    { ...at(0), do: "visit" },
    { ...at(0), do: "meet" },
    { ...at(0), do: "note" },
    { ...at(0), do: "freeze" },
    { ...at(0), do: "deliver", message: 0 },
    { ...at(0), do: "pass", seconds: 3601 },
    { ...at(0), do: "answer", message: 0 },
    { ...at(0), do: "deliver", message: 0 },
  ],
  "an old answer that a frozen tab brings is no news to a sibling that has put its values away": [
    { ...at(0), do: "open" },
    { ...at(0), do: "visit" },
    { ...at(0, 1), do: "note" },
    { ...at(0, 1), do: "freeze" },
    { ...at(0), do: "meet" },
    { ...at(0), do: "pass", seconds: 3601 },
  ],
  "a tab that knows less does not overwrite the snapshot of one that knows more": [
    { ...at(1), do: "thaw" },
    { ...at(1), do: "open" },
    { ...at(1), do: "visit" },
    network(1),
    { ...at(1, 1), do: "note" },
    second,
    { ...at(0), do: "deliver", message: 3 },
    network(1),
  ],
  "a push that brings a restored server to the revision that its tab has seen is answered with everything": [
    { ...at(1), do: "note" },
    { ...at(1), do: "sleep" },
    network(1),
    { ...at(1), do: "awake" },
    { ...at(0), do: "back up" },
    { ...at(1), do: "rotate", lost: true },
    network(1),
    { ...at(1), do: "note" },
    { ...at(0), do: "restore" },
    { ...at(0), do: "rotate", lost: false },
  ],
  "a deletion that is sent once more reaches the session that a first push has begun, whose answer was lost": [
    { ...at(1), do: "note" },
    second,
    { ...at(0), do: "deliver", message: 0 },
    { ...at(1), do: "unnote" },
    { ...at(0), do: "lose", message: 0 },
    { ...at(0), do: "meet" },
    { ...at(1), do: "tag" },
    { ...at(0), do: "open" },
  ],
  "a deletion that arrives before what it deletes is remembered": [
    { ...at(1), do: "hide" },
    { ...at(1), do: "note" },
    { ...at(1), do: "note" },
    { ...at(1), do: "unnote" },
    { ...at(0), do: "lose", message: 0 },
    { ...at(1), do: "open" },
    network(1),
    { ...at(0), do: "deliver", message: 0 },
  ],
  "an answer of a session that a sibling has wiped is not taken in by a tab that had none": [
    { ...at(0), do: "open" },
    { ...at(0, 1), do: "note" },
    { ...at(0), do: "awake" },
    { ...at(0), do: "visit" },
    network(1),
    { ...at(0), do: "logout", lost: false },
    network(1),
    { ...at(0), do: "share" },
  ],
};

for (const [name, steps] of Object.entries(found)) test(name, async () => expect(await play(steps)).toBeUndefined());
