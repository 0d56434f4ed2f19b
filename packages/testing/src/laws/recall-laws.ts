import { strict as assert } from "node:assert";
import type { SessionStore } from "@catnap/server";
import {
  accepted,
  alice,
  bob,
  born,
  commit,
  dawn,
  lawOfTwo,
  present,
  refused,
  type StoreLaw,
  valuesOf,
} from "./law.ts";

type Recalling = SessionStore & Required<Pick<SessionStore, "recall">>;

/** A law of stores that remember what they have read and written. */
const lawOfRecall = (name: string, check: Parameters<typeof lawOfTwo<"recall">>[1]): StoreLaw =>
  lawOfTwo(name, check, "recall");

/** What the store recalls of a session that it has read. */
async function recalled(store: Recalling) {
  await present(store, alice);
  const on = store.recall(alice);
  assert.ok(on, "what was read last is recalled");
  return on;
}

/** What a store remembers, and commits on it. */
export const recallLaws: readonly StoreLaw[] = [
  lawOfRecall("what is recalled is the session as it was last read or written", async (store) => {
    await born(store, alice, { set: { a: "1" }, subject: "Alice" });
    await born(store, bob);
    assert.equal(store.recall(bob), undefined, "nothing, where nothing was read");
    assert.deepEqual(await recalled(store), await present(store, alice));
    const wish = { set: { a: "2", b: "3" }, timeoutMs: 5_000, now: dawn + 7, transactions: 2, authenticatedAt: dawn };
    accepted(await store.write(alice, commit(wish)));
    const known = store.recall(alice);
    assert.deepEqual({ ...known, entries: new Map(known?.entries) }, await present(store, alice));
  }),
  lawOfRecall("a commit on what was recalled is in while nobody else has committed", async (one, two) => {
    await born(one, alice, { set: { a: "1" } });
    const before = await recalled(one);
    await two.touch([{ key: alice, accessedAt: dawn + 5, transactions: 4 }]);
    const result = await one.write(alice, commit({ on: before, set: { a: "2" }, transactions: 1 }));
    assert.deepEqual(result, { ok: true, rev: 2, transactions: 6 }, "and tells the count, with everybody's uses");
    const after = one.recall(alice);
    assert.ok(after, "the session is still known");
    assert.equal(accepted(await one.write(alice, commit({ on: after, set: { b: "3" } }))), 3);
    assert.deepEqual(valuesOf(await two.read(alice)), { a: "2", b: "3" });
  }),
  lawOfRecall("a commit on what was recalled is refused once anybody has committed anything", async (one, two) => {
    await born(one, alice, { set: { a: "1" } });
    const on = await recalled(one);
    accepted(await two.write(alice, commit({ set: { other: "1" } })));
    const standing = await present(two, alice);
    const late = commit({ on, set: { a: "2", c: "2" }, subject: "Alice", timeoutMs: 1, transactions: 1 });
    assert.deepEqual(refused(await one.write(alice, late)), standing);
    assert.deepEqual(await two.read(alice), standing);
    accepted(await one.write(alice, commit({ on: await recalled(one), set: { a: "2" } })));
    refused(await one.write(alice, commit({ on, set: { a: "3" } })));
  }),
  lawOfRecall("a commit on what was recalled is refused when the session has ended", async (one, two) => {
    await born(one, alice, { set: { a: "1" } });
    const on = await recalled(one);
    await two.delete(alice);
    assert.equal(refused(await one.write(alice, commit({ on, set: { a: "2" } }))), null);
    assert.equal(await one.read(alice), null);
    assert.equal(one.recall(alice), undefined, "what is gone is not recalled");
  }),
  lawOfRecall("a commit on a record that was not recalled is rejected, and nothing is written", async (one) => {
    await born(one, alice, { set: { a: "1" } });
    const copy = { ...(await recalled(one)) };
    await assert.rejects(one.write(alice, commit({ on: copy, set: { a: "2" } })), { code: "INVALID_OPTION" });
    assert.deepEqual(valuesOf(await one.read(alice)), { a: "1" });
  }),
  lawOfRecall("an expectation holds beside what was recalled", async (one) => {
    await born(one, alice, { set: { a: "1" } });
    const on = await recalled(one);
    refused(await one.write(alice, commit({ on, expect: { a: 7 }, set: { a: "2" } })));
    accepted(await one.write(alice, commit({ on, expect: { a: 1 }, set: { a: "2" } })));
  }),
];
