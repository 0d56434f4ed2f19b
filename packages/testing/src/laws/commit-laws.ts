import { strict as assert } from "node:assert";
import {
  accepted,
  alice,
  bob,
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

const awkwardTexts = [
  "",
  "plain",
  "~marked",
  "NUL \u0000 inside",
  "\"quotes' and \\backslashes\\",
  "line\r\nbreaks\tand \u2028",
  "žluťoučký 🐈‍⬛",
  "__proto__",
  "constructor",
  "x".repeat(100_000),
];

/** `read`, and what a commit does to the session and its entries. */
export const commitLaws: readonly StoreLaw[] = [
  law("read answers null when there is no session", async (store) => {
    await born(store, bob);
    assert.equal(await store.read(alice), null);
  }),
  law("read answers the record as the last commit left it", async (store) => {
    await born(store, alice, {
      create: { createdAt: dawn - 7, endsAt: doom + 3 },
      accessedAt: dawn - 1,
      timeoutMs: 1500.5,
      transactions: 3,
      subject: "Alice",
      authenticatedAt: dawn - 5,
      set: { theme: '"dark"', "~token": "abc" },
    });
    const entry = (value: string) => ({ value, rev: 1, writer: "server", seq: 0 });
    assert.deepEqual(await store.read(alice), {
      identifier: alice,
      rev: 1,
      createdAt: dawn - 7,
      endsAt: doom + 3,
      accessedAt: dawn - 1,
      timeoutMs: 1500.5,
      transactions: 3,
      subject: "Alice",
      authenticatedAt: dawn - 5,
      entries: new Map([
        ["theme", entry('"dark"')],
        ["~token", entry("abc")],
      ]),
    });
  }),
  law("a session without subject reads null for subject and authentication", async (store) => {
    await born(store, alice);
    const { subject, authenticatedAt } = await present(store, alice);
    assert.deepEqual({ subject, authenticatedAt }, { subject: null, authenticatedAt: null });
  }),
  law("read answers an expired session too", async (store) => {
    await born(store, alice, { set: { a: "1" }, now: dawn, accessedAt: dawn - 100 * idleMs });
    assert.deepEqual(valuesOf(await store.read(alice)), { a: "1" });
  }),
  law("a record is a snapshot that a later write does not change", async (store) => {
    await born(store, alice, { set: { a: "1", b: "1" } });
    const before = await present(store, alice);
    accepted(await store.write(alice, commit({ set: { a: "2", b: undefined, c: "2" }, accessedAt: dawn + 5 })));
    await store.touch([{ key: alice, accessedAt: dawn + 9, transactions: 1 }]);
    assert.deepEqual(valuesOf(before), { a: "1", b: "1" });
    assert.deepEqual([before.rev, before.accessedAt, before.transactions], [1, dawn, 1]);
  }),
  law("the first commit makes revision 1 and every commit adds one, without changes too", async (store) => {
    await born(store, alice);
    assert.equal(accepted(await store.write(alice, commit({ set: { a: "1" } }))), 2);
    assert.equal(accepted(await store.write(alice, commit())), 3);
    assert.equal(accepted(await store.write(alice, commit({ set: { a: undefined, b: "1" } }))), 4);
    assert.equal((await present(store, alice)).rev, 4);
  }),
  law("an entry carries the revision, the writer and the seq that last wrote it", async (store) => {
    await born(store, alice, { set: { kept: "1" } });
    const changes = new Map([
      ["a", { value: "1", writer: "profile/tab", seq: 41 }],
      ["b", { value: null, writer: "profile/other", seq: 2 ** 40 }],
    ]);
    accepted(await store.write(alice, { ...commit(), changes }));
    const { entries } = await present(store, alice);
    assert.deepEqual(entries.get("a"), { value: "1", rev: 2, writer: "profile/tab", seq: 41 });
    assert.deepEqual(entries.get("b"), { value: null, rev: 2, writer: "profile/other", seq: 2 ** 40 });
    assert.deepEqual(entries.get("kept"), { value: "1", rev: 1, writer: "server", seq: 0 });
  }),
  law("values and keys are any text", async (store) => {
    await born(store, alice);
    for (const text of awkwardTexts) {
      const changes = new Map([[text, { value: text, writer: "server", seq: 0 }]]);
      const rev = accepted(await store.write(alice, { ...commit(), changes }));
      const again = { ...commit(), changes, expect: new Map([[text, rev]]) };
      accepted(await store.write(alice, again));
    }
    const { entries } = await present(store, alice);
    assert.deepEqual([...entries.keys()].sort(), [...awkwardTexts].sort());
    for (const [key, { value }] of entries) assert.equal(value, key);
  }),
  law("null leaves a tombstone that remembers its revision", async (store) => {
    await born(store, alice, { set: { a: "1" } });
    accepted(await store.write(alice, commit({ set: { a: null } })));
    assert.deepEqual((await present(store, alice)).entries.get("a"), { value: null, rev: 2, writer: "server", seq: 0 });
    accepted(await store.write(alice, commit({ set: { a: "3" } })));
    assert.equal((await present(store, alice)).entries.get("a")?.value, "3");
  }),
  law("undefined removes an entry without a trace, an absent one too", async (store) => {
    await born(store, alice, { set: { a: "1", b: null, c: "1" } });
    accepted(await store.write(alice, commit({ set: { a: undefined, b: undefined, never: undefined } })));
    assert.deepEqual(valuesOf(await store.read(alice)), { c: "1" });
  }),
  law("a commit leaves the keys that it does not name as they are", async (store) => {
    await born(store, alice, { set: { a: "1", b: "1" } });
    accepted(await store.write(alice, commit({ set: { c: "2" } })));
    assert.deepEqual(valuesOf(await store.read(alice)), { a: "1", b: "1", c: "2" });
  }),
  law("a commit leaves the sessions that it does not name as they are", async (store) => {
    await born(store, alice, { set: { a: "alice" } });
    await born(store, bob, { set: { a: "bob" } });
    const before = await present(store, bob);
    accepted(await store.write(alice, commit({ set: { a: "2" }, subject: "Alice" })));
    assert.deepEqual(await store.read(bob), before);
  }),
  law("fields that a commit does not carry stay, those that it carries are set", async (store) => {
    await born(store, alice, { subject: "Alice", authenticatedAt: dawn });
    accepted(await store.write(alice, commit({ set: { a: "1" } })));
    let { subject, authenticatedAt, timeoutMs } = await present(store, alice);
    assert.deepEqual(
      { subject, authenticatedAt, timeoutMs },
      { subject: "Alice", authenticatedAt: dawn, timeoutMs: idleMs },
    );
    accepted(await store.write(alice, commit({ subject: "Bob", authenticatedAt: dawn + 1, timeoutMs: 5 })));
    ({ subject, authenticatedAt, timeoutMs } = await present(store, alice));
    assert.deepEqual(
      { subject, authenticatedAt, timeoutMs },
      { subject: "Bob", authenticatedAt: dawn + 1, timeoutMs: 5 },
    );
  }),
  law("a commit sets fields and several changes as one", async (store) => {
    await born(store, alice, { set: { a: "1", b: "1" } });
    const wish = { set: { a: undefined, b: null, c: "2", d: "2" }, subject: "Alice", expect: { a: 1 } };
    assert.equal(accepted(await store.write(alice, commit(wish))), 2);
    const record = await present(store, alice);
    assert.deepEqual([record.rev, record.subject, valuesOf(record)], [2, "Alice", { b: null, c: "2", d: "2" }]);
    for (const key of ["b", "c", "d"]) assert.equal(record.entries.get(key)?.rev, 2);
  }),
  law("the record takes the later access time", async (store) => {
    await born(store, alice);
    accepted(await store.write(alice, commit({ accessedAt: dawn + 10 })));
    accepted(await store.write(alice, commit({ accessedAt: dawn + 4, set: { a: "1" } })));
    assert.equal((await present(store, alice)).accessedAt, dawn + 10);
  }),
  law("a commit adds to the count of transactions", async (store) => {
    await born(store, alice);
    accepted(await store.write(alice, commit({ transactions: 2, set: { a: "1" } })));
    accepted(await store.write(alice, commit({ transactions: 0 })));
    assert.equal((await present(store, alice)).transactions, 3);
  }),
  law("create sets its own times and no commit after it moves them", async (store) => {
    await born(store, alice);
    accepted(await store.write(alice, commit({ now: dawn + 5, set: { a: "1" } })));
    const { createdAt, endsAt } = await present(store, alice);
    assert.deepEqual({ createdAt, endsAt }, { createdAt: dawn, endsAt: doom });
  }),
  law("create writes what it carries, removals aside", async (store) => {
    await born(store, alice, { set: { a: "1", gone: undefined, tomb: null } });
    assert.deepEqual(valuesOf(await store.read(alice)), { a: "1", tomb: null });
  }),
  law("create refuses a taken key and answers who lives there", async (store) => {
    await born(store, alice, { set: { a: "1" } });
    const before = await present(store, alice);
    const create = { createdAt: dawn + 1, endsAt: doom + 1 };
    assert.deepEqual(
      refused(await store.write(alice, commit({ create, timeoutMs: 1, set: { a: "2", b: "2" } }))),
      before,
    );
    assert.deepEqual(await store.read(alice), before);
  }),
  law("create refuses a key that an expired session holds, and answers null", async (store) => {
    await born(store, alice, { set: { a: "1" } });
    const now = dawn + idleMs;
    const wish = { now, create: { createdAt: now, endsAt: now + 10 }, timeoutMs: 10, set: { a: "2" } };
    assert.equal(refused(await store.write(alice, commit(wish))), null);
    assert.deepEqual(valuesOf(await store.read(alice)), { a: "1" });
  }),
  law("create begins anew where a session was deleted", async (store) => {
    await born(store, alice, { set: { old: "1" }, subject: "Alice" });
    accepted(await store.write(alice, commit()));
    await store.delete(alice);
    await born(store, alice, { set: { a: "1" } });
    const { rev, subject, entries } = await present(store, alice);
    assert.deepEqual([rev, subject, [...entries.keys()]], [1, null, ["a"]]);
  }),
  law("create refuses when it expects an entry", async (store) => {
    const wish = { create: { createdAt: dawn, endsAt: doom }, timeoutMs: idleMs, set: { a: "1" }, expect: { a: 1 } };
    assert.equal(refused(await store.write(alice, commit(wish))), null);
    assert.equal(await store.read(alice), null);
    await born(store, alice, { expect: { a: 0 } });
  }),
];
