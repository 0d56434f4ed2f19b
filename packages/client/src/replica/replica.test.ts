import { expect, test } from "vitest";
import { shop } from "../../test/world.ts";
import type { Delta } from "./delta.ts";
import { Replica } from "./replica.ts";

const delta = (rev: number, note: string | null, entryRev = rev): Delta => ({
  since: 0,
  rev,
  entries: [["note", { value: note, rev: entryRev }]],
  reset: false,
  writer: "sibling",
  acked: 0,
  decided: {},
  facts: null,
});

const epoch = {
  ...{ name: "n", profile: "p", identifier: null },
  ...{ from: [], past: [], quiet: [], ends: [], told: [], adopted: [], heard: [] },
};

test("a delta that is older than what the tab knows moves nothing back, and asks for nothing twice", () => {
  const replica = new Replica(shop, epoch, (bytes) => "i".repeat(bytes), Date.now);
  replica.adopt("session");
  replica.apply(delta(5, '"new"'));
  replica.apply(delta(3, '"old"'));
  expect([replica.rev, replica.memory.get("note")]).toEqual([5, '"new"']);
  expect(replica.push(replica.writer, []).since).toBe(5);
  // A deletion is remembered by its revision, so that nothing older comes back.
  replica.apply(delta(6, null));
  replica.apply(delta(5, '"new"'));
  replica.apply(delta(7, '"new"', 5));
  expect(replica.memory.get("note")).toBeNull();
});
