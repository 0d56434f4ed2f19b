import { strict as assert } from "node:assert";
import {
  accepted,
  alice,
  born,
  commit,
  dawn,
  doom,
  idleMs,
  law,
  present,
  refused,
  type StoreLaw,
  valuesOf,
} from "./law.ts";

/** What keeps a commit out: expectations, and death. */
export const expectationLaws: readonly StoreLaw[] = [
  law("a commit whose expectations hold is accepted", async (store) => {
    await born(store, alice, { set: { a: "1" } });
    assert.equal(accepted(await store.write(alice, commit({ expect: { a: 1 }, set: { a: "2" } }))), 2);
    assert.equal(accepted(await store.write(alice, commit({ expect: { a: 2, b: 0 }, set: { b: "3" } }))), 3);
  }),
  law(
    "an expectation that no longer holds refuses the whole commit and answers the session as it stands",
    async (store) => {
      await born(store, alice, { set: { a: "1", b: "1" } });
      accepted(await store.write(alice, commit({ set: { a: "2" } })));
      const before = await present(store, alice);
      const wish = {
        expect: { b: 1, a: 1 },
        set: { a: "3", b: "3", c: "3" },
        subject: "Alice",
        timeoutMs: 1,
        transactions: 1,
      };
      assert.deepEqual(refused(await store.write(alice, commit({ ...wish, accessedAt: dawn + 9 }))), before);
      assert.deepEqual(await store.read(alice), before);
    },
  ),
  law("an expectation of 0 holds for an absent entry only", async (store) => {
    await born(store, alice, { set: { a: "1" } });
    assert.deepEqual(valuesOf(refused(await store.write(alice, commit({ expect: { a: 0 }, set: { a: "2" } })))), {
      a: "1",
    });
    accepted(await store.write(alice, commit({ expect: { b: 0 }, set: { b: "2" } })));
    refused(await store.write(alice, commit({ expect: { b: 0 }, set: { b: "3" } })));
  }),
  law("a tombstone has a revision of its own", async (store) => {
    await born(store, alice, { set: { a: "1" } });
    accepted(await store.write(alice, commit({ set: { a: null } })));
    refused(await store.write(alice, commit({ expect: { a: 0 }, set: { a: "3" } })));
    refused(await store.write(alice, commit({ expect: { a: 1 }, set: { a: "3" } })));
    accepted(await store.write(alice, commit({ expect: { a: 2 }, set: { a: "3" } })));
  }),
  law("a removed entry is absent to an expectation", async (store) => {
    await born(store, alice, { set: { a: "1" } });
    accepted(await store.write(alice, commit({ set: { a: undefined } })));
    refused(await store.write(alice, commit({ expect: { a: 1 }, set: { a: "3" } })));
    accepted(await store.write(alice, commit({ expect: { a: 0 }, set: { a: "3" } })));
  }),
  law("an expectation of an entry that was never there refuses", async (store) => {
    await born(store, alice);
    refused(await store.write(alice, commit({ expect: { a: 7 }, set: { a: "2" } })));
  }),
  law("an expectation may concern an entry that the commit does not change", async (store) => {
    await born(store, alice, { set: { guard: "1" } });
    accepted(await store.write(alice, commit({ expect: { guard: 1 }, set: { a: "2" } })));
    accepted(await store.write(alice, commit({ set: { guard: "3" } })));
    refused(await store.write(alice, commit({ expect: { guard: 1 }, set: { a: "4" } })));
  }),
  law("writers of unrelated keys never refuse each other", async (store) => {
    await born(store, alice, { set: { a: "1", b: "1" } });
    accepted(await store.write(alice, commit({ expect: { a: 1 }, set: { a: "2" } })));
    accepted(await store.write(alice, commit({ expect: { b: 1 }, set: { b: "3" } })));
    assert.deepEqual(valuesOf(await store.read(alice)), { a: "2", b: "3" });
  }),
  law("touching a session breaks no expectation", async (store) => {
    await born(store, alice, { set: { a: "1" } });
    await store.touch([{ key: alice, accessedAt: dawn + 5, transactions: 1 }]);
    accepted(await store.write(alice, commit({ expect: { a: 1 }, set: { a: "2" } })));
  }),
  law("a commit without create never creates a session", async (store) => {
    assert.equal(refused(await store.write(alice, commit({ set: { a: "1" } }))), null);
    assert.equal(refused(await store.write(alice, commit({ set: { a: "1", b: "1" }, subject: "Alice" }))), null);
    assert.equal(refused(await store.write(alice, commit({ set: { a: "1" }, expect: { a: 0 } }))), null);
    assert.equal(await store.read(alice), null);
    assert.deepEqual((await store.find({ limit: 10 })).items, []);
  }),
  law("a commit lives until the idle timeout has passed, and at that moment the session is dead", async (store) => {
    await born(store, alice, { set: { a: "1" } });
    const edge = dawn + idleMs;
    accepted(await store.write(alice, commit({ now: edge - 1, accessedAt: dawn, set: { a: "2" } })));
    const before = await present(store, alice);
    assert.equal(refused(await store.write(alice, commit({ now: edge, set: { a: "3" } }))), null);
    assert.equal(refused(await store.write(alice, commit({ now: edge, set: { a: "3" }, expect: { a: 2 } }))), null);
    assert.equal(
      refused(await store.write(alice, commit({ now: edge, set: { a: "3" }, timeoutMs: 10 * idleMs }))),
      null,
    );
    assert.deepEqual(await store.read(alice), before);
  }),
  law("a commit postpones the idle timeout by its access", async (store) => {
    await born(store, alice);
    accepted(await store.write(alice, commit({ now: dawn + idleMs - 1, set: { a: "1" } })));
    accepted(await store.write(alice, commit({ now: dawn + 2 * idleMs - 2, set: { a: "2" } })));
    assert.equal(refused(await store.write(alice, commit({ now: dawn + 3 * idleMs - 2, set: { a: "3" } }))), null);
  }),
  law("no access postpones the absolute end", async (store) => {
    await born(store, alice, { timeoutMs: 100 * idleMs });
    accepted(await store.write(alice, commit({ now: doom - 1, set: { a: "1" } })));
    assert.equal(refused(await store.write(alice, commit({ now: doom, set: { a: "2" } }))), null);
    assert.deepEqual(valuesOf(await store.read(alice)), { a: "1" });
  }),
  law("a timeout counts from the commit that sets it on, and 0 ends the session at once", async (store) => {
    await born(store, alice);
    accepted(await store.write(alice, commit({ timeoutMs: 10, set: { a: "1" } })));
    assert.equal(refused(await store.write(alice, commit({ now: dawn + 10, set: { a: "2" } }))), null);
    accepted(await store.write(alice, commit({ now: dawn + 9, timeoutMs: 0, set: { a: "3" } })));
    assert.equal(
      refused(await store.write(alice, commit({ now: dawn + 9, timeoutMs: idleMs, set: { a: "4" } }))),
      null,
    );
    assert.deepEqual(valuesOf(await store.read(alice)), { a: "3" });
  }),
  law("a write after delete answers null and does not revive the session", async (store) => {
    await born(store, alice, { set: { a: "1" } });
    await store.delete(alice);
    assert.equal(refused(await store.write(alice, commit({ set: { a: "2" } }))), null);
    assert.equal(refused(await store.write(alice, commit({ set: { a: "2" }, expect: { a: 1 } }))), null);
    assert.equal(await store.read(alice), null);
  }),
];
