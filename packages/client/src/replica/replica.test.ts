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

test("a delta that is older than what the tab knows moves nothing back, and asks for nothing twice", () => {
  const replica = new Replica(shop, { profile: "p", nonce: "n" }, (bytes) => "i".repeat(bytes), Date.now);
  replica.adopt("session");
  replica.apply(delta(5, '"new"'));
  replica.apply(delta(3, '"old"'));
  expect([replica.rev, replica.memory.get("note")]).toEqual([5, '"new"']);
  expect(replica.push("p", replica.writer, []).since).toBe(5);
  // A deletion is remembered by its revision, so that nothing older comes back.
  replica.apply(delta(6, null));
  replica.apply(delta(5, '"new"'));
  replica.apply(delta(7, '"new"', 5));
  expect(replica.memory.get("note")).toBeNull();
});

test("a change that others may know goes home under the profile and nonce that they know, though the disk was lost", () => {
  const replica = new Replica(shop, { profile: "p", nonce: "n" }, (bytes) => "i".repeat(bytes), Date.now);
  replica.belong({ profile: "disk", nonce: "of-disk" });
  const key = shop.keys.get("note");
  if (key) replica.outbox.write(key, '"x"', replica.writer);
  replica.outbox.freeze(replica.outbox.own.values());
  replica.belong({ profile: "other", nonce: "another" });
  const push = replica.push(replica.profile.profile, replica.writer, [...replica.outbox.own.values()]);
  expect([push.profile, push.nonce]).toEqual(["disk", "of-disk"]);
});
