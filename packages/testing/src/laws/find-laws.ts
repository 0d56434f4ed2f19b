import { strict as assert } from "node:assert";
import {
  accepted,
  alice,
  bob,
  born,
  commit,
  dawn,
  doom,
  identifier,
  idleMs,
  keysOf,
  law,
  type StoreLaw,
  times,
  walk,
} from "./law.ts";

/** `find`. */
export const findLaws: readonly StoreLaw[] = [
  law("find of an empty store answers one empty page", async (store) => {
    assert.deepEqual(await store.find({ limit: 10 }), { items: [] });
    assert.deepEqual(await store.find({ subject: "Alice", expiredAt: dawn, limit: 10 }), { items: [] });
  }),
  law("find tells of a session without its values", async (store) => {
    await born(store, alice, { subject: "Alice", authenticatedAt: dawn + 1, set: { a: "1" } });
    await born(store, bob, { timeoutMs: 100 * idleMs });
    const common = { createdAt: dawn, accessedAt: dawn, transactions: 1 };
    assert.deepEqual((await store.find({ limit: 10 })).items, [
      { ...common, identifier: alice, subject: "Alice", expiresAt: dawn + idleMs, authenticatedAt: dawn + 1 },
      { ...common, identifier: bob, subject: null, expiresAt: doom, authenticatedAt: null },
    ]);
  }),
  law("find brings along the values of the entries that it names, and of no others", async (store) => {
    await born(store, alice, { subject: "Alice", set: { "~device": '"Firefox"', gone: "1", other: "1" } });
    await born(store, bob, { subject: "Alice", set: { "~device": "NUL \u0000 inside 🐈", "": "nameless" } });
    accepted(await store.write(alice, commit({ set: { gone: null } })));
    const entries = ["~device", "gone", "", "__proto__"];
    for (const query of [{ entries }, { entries, subject: "Alice" }, { entries, expiredAt: doom }]) {
      const found = await walk(store, { ...query, limit: 1 });
      assert.deepEqual(
        found.map((info) => info.entries),
        [
          new Map([["~device", '"Firefox"']]),
          new Map([
            ["~device", "NUL \u0000 inside 🐈"],
            ["", "nameless"],
          ]),
        ],
      );
    }
  }),
  law("find pages through all sessions in the order of their identifiers, whatever the limit", async (store) => {
    // Neither in order nor all of one letter case: the order is that of the code units.
    const keys = ["b", "a", "_", "-", "B", "0", "A", "z", "9", "Z"].map((letter) => letter.padEnd(22, "m"));
    for (const key of keys) await born(store, key);
    for (const limit of [1, 3, 5, 10, 11]) assert.deepEqual(keysOf(await walk(store, { limit })), [...keys].sort());
  }),
  law("find without expiredAt shows expired sessions among the rest", async (store) => {
    await born(store, alice, { timeoutMs: 0 });
    await born(store, bob);
    assert.deepEqual(keysOf(await walk(store, { limit: 1 })), [alice, bob]);
  }),
  law("find by subject answers that subject's sessions only", async (store) => {
    const subjects = ["Alice", "Bob", undefined, "Alice", "alice", "Alice"];
    for (const [i, subject] of subjects.entries())
      await born(store, identifier(i), subject === undefined ? {} : { subject });
    assert.deepEqual(keysOf(await walk(store, { subject: "Alice", limit: 2 })), [0, 3, 5].map(identifier));
    assert.deepEqual(await walk(store, { subject: "Carol", limit: 2 }), []);
  }),
  law("subjects that differ in one code unit are two, whatever text they are", async (store) => {
    const subjects = [
      "é",
      "e\u0301",
      "a",
      "A",
      " a",
      "a ",
      "🐈",
      "\u0001",
      "\u00010",
      "=",
      "-",
      "__proto__",
      "x".repeat(256),
    ];
    for (const [i, subject] of subjects.entries()) await born(store, identifier(i), { subject });
    for (const [i, subject] of subjects.entries()) {
      const found = await walk(store, { subject, limit: 3 });
      assert.deepEqual(
        found.map((info) => [info.identifier, info.subject]),
        [[identifier(i), subject]],
      );
    }
  }),
  law("a subject that is not well-formed, or holds NUL, is refused, and nothing is written", async (store) => {
    await born(store, alice, { subject: "admin" });
    await born(store, bob);
    const refused = { name: "SessionError", code: "INVALID_OPTION" };
    for (const subject of ["admin\0x", "\0", "\ud800", "a\udc00b"]) {
      await assert.rejects(store.write(bob, commit({ subject })), refused);
      await assert.rejects(store.find({ subject, limit: 5 }), refused);
      const create = { createdAt: dawn, endsAt: doom };
      await assert.rejects(store.write(identifier(3), commit({ create, timeoutMs: idleMs, subject })), refused);
    }
    assert.deepEqual(keysOf(await walk(store, { subject: "admin", limit: 5 })), [alice]);
    const all = await walk(store, { limit: 5 });
    assert.deepEqual(
      all.map((info) => [info.identifier, info.subject]),
      [
        [alice, "admin"],
        [bob, null],
      ],
    );
  }),
  law("find by subject follows a commit that binds a session", async (store) => {
    await born(store, alice);
    assert.deepEqual(await walk(store, { subject: "Alice", limit: 5 }), []);
    accepted(await store.write(alice, commit({ subject: "Alice", set: { a: "1" } })));
    assert.deepEqual(keysOf(await walk(store, { subject: "Alice", limit: 5 })), [alice]);
    accepted(await store.write(alice, commit({ subject: "Bob" })));
    assert.deepEqual(await walk(store, { subject: "Alice", limit: 5 }), []);
    assert.deepEqual(keysOf(await walk(store, { subject: "Bob", limit: 5 })), [alice]);
  }),
  law("find with expiredAt answers those that expire at or before it", async (store) => {
    for (const i of times(6, (n) => n)) {
      await born(store, identifier(i), { timeoutMs: (6 - i) * 1000, ...(i % 2 ? { subject: "Alice" } : {}) });
    }
    assert.deepEqual(await walk(store, { expiredAt: dawn + 999, limit: 2 }), []);
    assert.deepEqual(keysOf(await walk(store, { expiredAt: dawn + 1000, limit: 2 })), [identifier(5)]);
    assert.deepEqual(keysOf(await walk(store, { expiredAt: dawn + 4000, limit: 2 })), [2, 3, 4, 5].map(identifier));
    const both = { subject: "Alice", expiredAt: dawn + 4000, limit: 1 };
    assert.deepEqual(keysOf(await walk(store, both)), [3, 5].map(identifier));
  }),
  law("find with expiredAt follows touches and timeouts", async (store) => {
    await born(store, alice);
    await born(store, bob, { timeoutMs: 9 * idleMs });
    await store.touch([{ key: alice, accessedAt: dawn + 10, transactions: 1 }]);
    accepted(await store.write(bob, commit({ timeoutMs: 7 })));
    assert.deepEqual(keysOf(await walk(store, { expiredAt: dawn + idleMs, limit: 5 })), [bob]);
    assert.deepEqual(keysOf(await walk(store, { expiredAt: dawn + idleMs + 10, limit: 5 })), [alice, bob]);
  }),
  law("each session that exists throughout a walk comes exactly once, while others come and go", async (store) => {
    const staying = times(20, (i) => identifier(i * 10));
    const going = times(20, (i) => identifier(i * 10 + 5));
    for (const key of [...staying, ...going]) await born(store, key, { subject: "Alice" });
    for (const query of [{ limit: 3 }, { limit: 3, subject: "Alice" }, { limit: 3, expiredAt: doom }]) {
      let fresh = 0;
      const found = keysOf(
        await walk(store, query, async (page) => {
          for (const key of [going[page], going[19 - page]]) if (key !== undefined) await store.delete(key);
          for (const tail of [1, 7]) {
            const key = identifier(((fresh++ * 37) % 200) * 10 + tail);
            if ((await store.read(key)) === null) await born(store, key, { subject: "Alice" });
          }
          await store.touch([{ key: identifier(page * 10), accessedAt: dawn + page, transactions: 1 }]);
        }),
      );
      assert.equal(new Set(found).size, found.length, "nobody comes twice");
      assert.deepEqual(found, [...found].sort(), "in order");
      for (const key of staying) assert.ok(found.includes(key), `${key} was there throughout`);
    }
  }),
  law("a walk ends although its cursor's session was deleted", async (store) => {
    for (const key of times(6, identifier)) await born(store, key);
    const found = await walk(store, { limit: 2 }, async (page) => {
      await store.delete(identifier(page * 2 + 1));
    });
    assert.deepEqual(keysOf(found), times(6, identifier));
  }),
];
