import { strict as assert } from "node:assert";
import type { SessionStore } from "@catnap/server";
import {
  accepted,
  alice,
  born,
  commit,
  dawn,
  doom,
  identifier,
  idleMs,
  law,
  lawOfTwo,
  present,
  refused,
  type StoreLaw,
  times,
  valuesOf,
} from "./law.ts";

type Race = (one: SessionStore, two: SessionStore) => Promise<void>;

const writers = 24;

/** Lets whatever else is under way go on. */
const breath = () => new Promise((resolve) => setImmediate(resolve));

/** What holds when calls overlap: within one handle, and over two. */
const races: Readonly<Record<string, Race>> = {
  "concurrent writes of different keys all survive": async (one, two) => {
    await born(one, alice);
    const revs = await Promise.all(
      times(writers, async (i) =>
        accepted(await (i % 2 ? one : two).write(alice, commit({ set: { [`key${i}`]: String(i) }, transactions: 1 }))),
      ),
    );
    assert.deepEqual(
      revs.sort((a, b) => a - b),
      times(writers, (i) => i + 2),
      "each commit has a revision of its own",
    );
    const record = await present(one, alice);
    assert.deepEqual(valuesOf(record), Object.fromEntries(times(writers, (i) => [`key${i}`, String(i)])));
    assert.deepEqual([record.rev, record.transactions], [writers + 1, writers + 1]);
  },
  "exactly one of many writers with the same expectation wins": async (one, two) => {
    await born(one, alice, { set: { a: "0" } });
    const results = await Promise.all(
      times(writers, (i) => (i % 2 ? one : two).write(alice, commit({ expect: { a: 1 }, set: { a: String(i) } }))),
    );
    const won = results.flatMap((result, i) => (result.ok ? [String(i)] : []));
    assert.equal(won.length, 1);
    assert.deepEqual(valuesOf(await two.read(alice)), { a: won[0] });
    for (const result of results)
      if (!result.ok) assert.equal(result.record?.rev, 2, "a loser learns the present state");
  },
  "a counter that is incremented by expectation and retry counts everything": async (one, two) => {
    await born(one, alice, { set: { n: "0" } });
    const increment = async (store: SessionStore) => {
      let record = await present(store, alice);
      for (;;) {
        const entry = record.entries.get("n");
        const wish = { expect: { n: entry?.rev ?? 0 }, set: { n: String(Number(entry?.value) + 1) } };
        const result = await store.write(alice, commit(wish));
        if (result.ok) return;
        assert.ok(result.record);
        record = result.record;
      }
    };
    await Promise.all(times(writers, (i) => increment(i % 2 ? one : two)));
    assert.deepEqual(valuesOf(await one.read(alice)), { n: String(writers) });
  },
  "exactly one of many creators gets the key": async (one, two) => {
    const create = { createdAt: dawn, endsAt: doom };
    const results = await Promise.all(
      times(writers, (i) =>
        (i % 2 ? one : two).write(
          alice,
          commit({ create, timeoutMs: idleMs, set: { by: String(i), [`own${i}`]: "1" } }),
        ),
      ),
    );
    const won = results.flatMap((result, i) => (result.ok ? [i] : []));
    assert.equal(won.length, 1);
    assert.deepEqual(valuesOf(await two.read(alice)), { by: String(won[0]), [`own${won[0]}`]: "1" });
  },
  "a commit is whole or absent to every reader": async (one, two) => {
    await born(one, alice, { set: { a: "0", b: "0", c: "0" } });
    let writing = true;
    const write = async () => {
      for (let i = 1; i <= writers; i++) {
        accepted(await one.write(alice, commit({ set: { a: String(i), b: String(i), c: String(i) } })));
        await breath();
      }
    };
    const read = async () => {
      for (let last = 0; writing; await breath()) {
        const record = await present(two, alice);
        const [value, ...others] = ["a", "b", "c"].map((key) => record.entries.get(key)?.value);
        assert.ok(others.every((other) => other === value) && record.rev === Number(value) + 1, "read half a commit");
        assert.ok(record.rev >= last, "read an older state after a newer one");
        last = record.rev;
      }
    };
    await Promise.all([
      read(),
      write().finally(() => {
        writing = false;
      }),
    ]);
  },
  "a read that begins after a write was acknowledged sees it": async (one, two) => {
    await born(one, alice);
    for (let i = 0; i < writers; i++) {
      const [writer, reader] = i % 2 ? [one, two] : [two, one];
      const rev = accepted(await writer.write(alice, commit({ set: { a: String(i) } })));
      const record = await present(reader, alice);
      assert.deepEqual([record.rev, valuesOf(record)], [rev, { a: String(i) }]);
    }
  },
  "a write that meets a delete is whole before it or refused after it, and nothing is left": async (one, two) => {
    for (const key of times(writers, identifier)) {
      await born(one, key, { set: { a: "1" } });
      const [result, ended] = await Promise.all([two.write(key, commit({ set: { a: "2", b: "2" } })), one.delete(key)]);
      assert.equal(ended, true);
      if (!result.ok) assert.equal(result.record, null);
      assert.equal(refused(await two.write(key, commit({ set: { a: "3" } }))), null);
      assert.equal(await two.read(key), null);
    }
  },
  "exactly one of many deletes ends the session": async (one, two) => {
    await born(one, alice);
    const ended = await Promise.all(times(writers, (i) => (i % 2 ? one : two).delete(alice)));
    assert.equal(ended.filter(Boolean).length, 1);
  },
  "a sweep and a touch at the edge of expiry end in a living session or none": async (one, two) => {
    const edge = dawn + idleMs;
    const keys = times(writers, identifier);
    for (const key of keys) await born(one, key, { set: { a: "1" } });
    const saved = new Set<string>();
    const touch = async (key: string) => {
      await two.touch([{ key, accessedAt: edge - 1, transactions: 1 }]);
      if ((await two.read(key)) !== null) saved.add(key);
    };
    const swept: number[] = [];
    const sweep = async () => swept.push(await one.sweep(edge, 2));
    await Promise.all(keys.flatMap((key) => [touch(key), sweep()]));
    const left = [];
    for (const key of keys) {
      const record = await two.read(key);
      assert.ok(record !== null || !saved.has(key), "who was seen alive after a touch stays");
      if (record === null) continue;
      left.push(key);
      assert.deepEqual([record.accessedAt, valuesOf(record)], [edge - 1, { a: "1" }], "touched and whole");
      accepted(await one.write(key, commit({ now: edge, set: { a: "2" } })));
    }
    assert.equal(swept.reduce((sum, count) => sum + count, 0) + left.length, writers);
    assert.equal(await one.sweep(edge, writers), 0);
  },
  "touches from all sides are all counted": async (one, two) => {
    await born(one, alice);
    const touch = (i: number) => (i % 2 ? one : two).touch([{ key: alice, accessedAt: dawn + i, transactions: 1 }]);
    await Promise.all(times(writers, touch));
    const { accessedAt, transactions } = await present(one, alice);
    assert.deepEqual({ accessedAt, transactions }, { accessedAt: dawn + writers - 1, transactions: writers + 1 });
  },
};

export const raceLaws: readonly StoreLaw[] = Object.entries(races).flatMap(([name, race]) => [
  law(name, (store) => race(store, store)),
  lawOfTwo(name, race),
]);
