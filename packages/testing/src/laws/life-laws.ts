import { strict as assert } from "node:assert";
import { isSessionError } from "@catnap/shared";
import {
  accepted,
  alice,
  bob,
  born,
  commit,
  dawn,
  doom,
  eventually,
  identifier,
  idleMs,
  law,
  lawOfWatching,
  present,
  refused,
  type StoreLaw,
  times,
  valuesOf,
} from "./law.ts";

/** `touch`, `delete`, `sweep`, `watch` and `close`. */
export const lifeLaws: readonly StoreLaw[] = [
  law("touch raises the access time and adds to the count, and changes no revision", async (store) => {
    await born(store, alice, { set: { a: "1" } });
    const before = await present(store, alice);
    await store.touch([{ key: alice, accessedAt: dawn + 5, transactions: 2 }]);
    assert.deepEqual(await store.read(alice), { ...before, accessedAt: dawn + 5, transactions: 3 });
  }),
  law("touch never lowers an access time, but counts", async (store) => {
    await born(store, alice);
    await store.touch([{ key: alice, accessedAt: dawn - 5, transactions: 2 }]);
    const { accessedAt, transactions } = await present(store, alice);
    assert.deepEqual({ accessedAt, transactions }, { accessedAt: dawn, transactions: 3 });
  }),
  law("touch takes many sessions, and one of them several times", async (store) => {
    await born(store, alice);
    await born(store, bob);
    const touch = (key: string, after: number) => ({ key, accessedAt: dawn + after, transactions: 1 });
    await store.touch([touch(alice, 5), touch(bob, 7), touch(alice, 3), touch(identifier(3), 1)]);
    const [a, b] = [await present(store, alice), await present(store, bob)];
    assert.deepEqual([a.accessedAt, a.transactions, b.accessedAt, b.transactions], [dawn + 5, 3, dawn + 7, 2]);
    await store.touch([]);
    assert.equal(await store.read(identifier(3)), null);
  }),
  law("touch skips sessions that are gone or expired at that access, to the millisecond", async (store) => {
    await born(store, alice);
    await born(store, bob, { timeoutMs: 100 * idleMs });
    const before = [await store.read(alice), await store.read(bob)];
    await store.touch([
      { key: alice, accessedAt: dawn + idleMs, transactions: 1 },
      { key: bob, accessedAt: doom, transactions: 1 },
    ]);
    await store.touch([{ key: alice, accessedAt: dawn + idleMs, transactions: 1 }]);
    assert.deepEqual([await store.read(alice), await store.read(bob)], before);
    await store.delete(bob);
    await store.touch([{ key: bob, accessedAt: dawn + 1, transactions: 1 }]);
    assert.equal(await store.read(bob), null);
  }),
  law("touch postpones expiry", async (store) => {
    await born(store, alice);
    await store.touch([{ key: alice, accessedAt: dawn + idleMs - 1, transactions: 1 }]);
    accepted(await store.write(alice, commit({ now: dawn + 2 * idleMs - 2, set: { a: "1" } })));
  }),
  law("delete ends a session and says that it was there", async (store) => {
    await born(store, alice, { set: { a: "1" }, subject: "Alice" });
    await born(store, bob, { set: { a: "1" }, subject: "Alice" });
    assert.equal(await store.delete(alice), true);
    assert.equal(await store.read(alice), null);
    assert.deepEqual(valuesOf(await store.read(bob)), { a: "1" });
    assert.equal((await store.find({ subject: "Alice", limit: 10 })).items.length, 1);
  }),
  law("delete of an absent session does nothing and does not throw", async (store) => {
    assert.equal(await store.delete(alice), false);
    assert.equal(await store.delete(alice, doom), false);
    await born(store, alice);
    assert.equal(await store.delete(alice), true);
    assert.equal(await store.delete(alice), false);
  }),
  law("delete with ifExpiredAt ends a session only when it has expired by then", async (store) => {
    await born(store, alice);
    await born(store, bob, { timeoutMs: 100 * idleMs });
    assert.equal(await store.delete(alice, dawn + idleMs - 1), false);
    assert.equal(await store.delete(bob, doom - 1), false);
    await present(store, alice);
    assert.equal(await store.delete(alice, dawn + idleMs), true);
    assert.equal(await store.delete(bob, doom), true);
    assert.equal(await store.read(alice), null);
  }),
  law("sweep removes sessions that expired at or before now, and says how many", async (store) => {
    await born(store, alice, { set: { a: "1" } });
    await born(store, bob, { timeoutMs: idleMs + 1, set: { a: "1" } });
    await born(store, identifier(3), { timeoutMs: 100 * idleMs });
    assert.equal(await store.sweep(dawn + idleMs - 1, 10), 0);
    assert.equal(await store.sweep(dawn + idleMs, 10), 1);
    assert.equal(await store.read(alice), null);
    assert.deepEqual(valuesOf(await store.read(bob)), { a: "1" });
    assert.equal(await store.sweep(doom - 1, 10), 1);
    assert.equal(await store.sweep(doom, 10), 1);
    assert.equal(await store.sweep(doom, 10), 0);
    assert.deepEqual((await store.find({ limit: 10 })).items, []);
  }),
  law("sweep removes no more than its limit", async (store) => {
    for (const i of times(5, identifier)) await born(store, i);
    const counts = [];
    for (let i = 0; i < 4; i++) counts.push(await store.sweep(doom, 2));
    assert.deepEqual(counts, [2, 2, 1, 0]);
  }),
  law("sweep spares what was touched, committed to or given more time meanwhile", async (store) => {
    const [touched, written, prolonged, idle] = [alice, bob, identifier(3), identifier(4)];
    for (const key of [touched, written, prolonged, idle]) await born(store, key);
    const late = dawn + idleMs - 1;
    await store.touch([{ key: touched, accessedAt: late, transactions: 1 }]);
    accepted(await store.write(written, commit({ now: late, set: { a: "1" } })));
    accepted(await store.write(prolonged, commit({ now: late, accessedAt: dawn, timeoutMs: 2 * idleMs })));
    assert.equal(await store.sweep(dawn + idleMs, 10), 1);
    assert.equal(await store.read(idle), null);
    for (const key of [touched, written, prolonged]) await present(store, key);
    assert.equal(await store.sweep(late + idleMs - 1, 10), 0);
    assert.equal(await store.sweep(dawn + 2 * idleMs, 10), 3);
  }),
  law("sweep finds a session whose timeout was shortened", async (store) => {
    await born(store, alice, { timeoutMs: 9 * idleMs });
    accepted(await store.write(alice, commit({ timeoutMs: 5 })));
    assert.equal(await store.sweep(dawn + 4, 10), 0);
    assert.equal(await store.sweep(dawn + 5, 10), 1);
  }),
  law("a touch after the sweep does not revive", async (store) => {
    await born(store, alice, { set: { a: "1" } });
    await store.sweep(dawn + idleMs, 10);
    await store.touch([{ key: alice, accessedAt: dawn + 1, transactions: 1 }]);
    refused(await store.write(alice, commit({ set: { a: "2" } })));
    assert.equal(await store.read(alice), null);
  }),
  lawOfWatching(
    "watch calls back with the revision after commits, never with an older one, and with 0 when the session ends",
    async (store) => {
      const heard: number[] = [];
      const stop = store.watch(alice, (rev) => heard.push(rev));
      await born(store, alice);
      await born(store, bob);
      accepted(await store.write(bob, commit()));
      await store.touch([{ key: alice, accessedAt: dawn + 1, transactions: 1 }]);
      refused(await store.write(alice, commit({ expect: { a: 9 } })));
      accepted(await store.write(alice, commit({ set: { a: "1" } })));
      await eventually(() => heard.includes(2), "the commit is heard");
      await store.delete(alice, dawn);
      await store.delete(alice);
      await store.delete(alice);
      await eventually(() => heard.at(-1) === 0, "the end is heard");
      const revisions = heard.filter((rev) => rev > 0);
      assert.ok(
        revisions.every((rev, i) => rev <= 2 && rev >= (revisions[i - 1] ?? 0)),
        String(heard),
      );
      stop();
    },
  ),
  lawOfWatching("watch tells of a session that is swept", async (store) => {
    const heard: number[] = [];
    await born(store, alice);
    store.watch(alice, (rev) => heard.push(rev));
    await store.sweep(doom, 10);
    await eventually(() => heard.at(-1) === 0, "the end is heard");
  }),
  lawOfWatching("a listener hears nothing after it unsubscribed, the others go on", async (store) => {
    const [left, stayed]: [number[], number[]] = [[], []];
    await born(store, alice);
    const stop = store.watch(alice, (rev) => left.push(rev));
    store.watch(alice, (rev) => stayed.push(rev));
    accepted(await store.write(alice, commit()));
    await eventually(() => left.includes(2) && stayed.includes(2), "both have heard");
    stop();
    stop();
    accepted(await store.write(alice, commit()));
    await eventually(() => stayed.includes(3), "the other has heard");
    assert.ok(!left.includes(3), String(left));
  }),
  law("calls after close reject with STORE_UNAVAILABLE, and closing twice does nothing", async (store) => {
    await born(store, alice);
    await store.close();
    await store.close();
    const calls = {
      read: () => store.read(alice),
      write: () => store.write(alice, commit({ set: { a: "1" } })),
      touch: () => store.touch([{ key: alice, accessedAt: dawn + 1, transactions: 1 }]),
      delete: () => store.delete(alice),
      find: () => store.find({ limit: 1 }),
      sweep: () => store.sweep(doom, 1),
    };
    for (const [name, call] of Object.entries(calls)) {
      await assert.rejects(call, (error) => isSessionError(error, "STORE_UNAVAILABLE"), name);
    }
  }),
];
