import { checksum, counter, defineSession, merge, type Op, value, valueSum } from "@catnap/shared";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { push } from "../../test/pushes.ts";
import { Tokens } from "../identity/tokens.ts";
import { committed } from "../stores/entries.ts";
import type { SessionRecord } from "../stores/store.ts";
import { answerPush, screenPush } from "./answer.ts";
import { applyPush } from "./push.ts";
import { decidedIn } from "./watermarks.ts";

const shop = defineSession({
  shared: {
    note: z.string().max(10),
    clicks: counter(),
    tags: value(z.array(z.string()).default([]), { merge: merge.union }),
    fragile: value(z.array(z.string()).default([]), {
      merge() {
        throw new TypeError("the app's own");
      },
    }),
  },
  readonly: { user: z.string() },
  secret: { seed: z.string() },
  dropped: ["old"],
});

const tokens = new Tokens("catnap");

const empty: SessionRecord = {
  identifier: "i".repeat(22),
  rev: 0,
  createdAt: 0,
  endsAt: 1e15,
  accessedAt: 0,
  timeoutMs: 1e12,
  transactions: 0,
  subject: null,
  authenticatedAt: null,
  entries: new Map(),
};

/** A server with one session and no store. */
function createServer() {
  let record = empty;
  return {
    get record() {
      return record;
    },
    restore(older: SessionRecord) {
      record = older;
    },
    push(parts: Parameters<typeof push>[0]) {
      const sent = push({ identifier: record.identifier, ...parts });
      const outcome = applyPush(shop, record, sent, 1_000);
      if (outcome.changes.size > 0) {
        const commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: outcome.changes };
        record = committed(record.identifier, record, commit, record.rev + 1);
      }
      return answerPush(shop, record, sent, outcome, 0);
    },
    value: (name: string) => JSON.parse(record.entries.get(name)?.value ?? "null") as unknown,
  };
}

const set = (seq: number, key: string, next: unknown, base = 0, from?: unknown): Op => ({
  seq,
  key,
  value: JSON.stringify(next),
  base,
  ...(from === undefined ? {} : { from: from === null ? null : JSON.stringify(from) }),
});

/** So many other tabs write from this number on, and change nothing, that the server forgets who came before them. */
function crowd(server: ReturnType<typeof createServer>, seq: number): void {
  const nothing = { key: "tags", value: null, base: 0, from: null };
  for (let i = 0; i < 32; i++) server.push({ writer: `crowd-${i}`, ops: [{ seq: seq + i, ...nothing }] });
}

test("an op takes effect once, however often its push arrives", () => {
  const server = createServer();
  const ops = [set(1, "clicks", 1, 0, null), set(2, "clicks", 2, 0, 1)];
  expect(server.push({ ops }).acked).toBe(2);
  const again = server.push({ ops });
  expect([server.value("clicks"), again.acked, again.rev]).toEqual([2, 2, 1]);
  // A push that was longer by the time it was repeated: only what is new counts.
  server.push({ ops: [...ops, set(3, "clicks", 3, 0, 2)] });
  expect(server.value("clicks")).toBe(3);
});

test("any order, repetition and delay of pushes leaves every increment counted once", () => {
  const writers = ["a", "b", "c"].map((name, i) => ({ writer: `writer-${name}`, profile: `profile-${i % 2}` }));
  const delivery = fc.record({ writer: fc.nat(2), upTo: fc.integer({ min: 1, max: 6 }) });
  fc.assert(
    fc.property(fc.array(delivery, { maxLength: 40 }), (deliveries) => {
      const server = createServer();
      const all = writers.map((_, i) => ({ writer: i, upTo: 6 }));
      for (const { writer, upTo } of [...deliveries, ...all]) {
        const ops = Array.from({ length: upTo }, (_, i) => set(i + 1, "clicks", i + 1, 0, i === 0 ? null : i));
        server.push({ ...writers[writer], ops });
      }
      expect(server.value("clicks")).toBe(18);
    }),
    { numRuns: 300 },
  );
});

test("between tabs of one profile the later edit stands, in whatever order they arrive", () => {
  const [early, late] = [set(4, "note", "early"), set(9, "note", "late")];
  for (const order of [
    [early, late],
    [late, early],
  ]) {
    const server = createServer();
    for (const op of order) server.push({ writer: `writer-${op.seq}`, ops: [op] });
    expect(server.value("note")).toBe("late");
  }
});

test("between devices the last to arrive stands", () => {
  const server = createServer();
  server.push({ profile: "profile-a", ops: [set(9, "note", "first")] });
  server.push({ profile: "profile-b", ops: [set(1, "note", "second")] });
  expect(server.value("note")).toBe("second");
});

describe("a note", () => {
  const [a, b] = [{ profile: "profile-a" }, { profile: "profile-b", writer: "writer-b" }];
  const lost = { key: "note", writer: "writer-1", seq: 1, what: "lost", was: '"milk"' };

  test("tells the device whose change was overwritten unseen, with what it was, until it has heard", () => {
    const server = createServer();
    server.push({ ...a, ops: [set(1, "note", "milk"), set(2, "clicks", 1, 0, null)] });
    const winner = server.push({ ...b, since: 0, ops: [set(1, "note", "bread")] });
    expect(winner.notes).toEqual([]);
    // It stays with the server when an answer is lost, whatever the tab knows of the session by another way.
    for (const since of [1, 2, 0]) expect(server.push({ ...a, since }).notes).toEqual([lost]);
    expect(server.push({ ...a, ops: [set(3, "clicks", 2, 1, 1)] }).notes).toEqual([lost]);
    const heard = ["writer-1/1"];
    expect(server.push({ ...a, heard }).notes).toEqual([]);
    expect(server.push({ ...a, ops: [set(4, "clicks", 3, 3, 2)], heard }).notes).toEqual([]);
    expect(server.push(a).notes).toEqual([]);
  });

  test("of a push whose answer is lost waits for the next one, also of another tab, which is told what the change had set", () => {
    const server = createServer();
    server.push({ ...b, ops: [set(1, "tags", ["b"], 0, null)] });
    const ops = [set(1, "tags", ["a"], 0, null), set(2, "note", "longer than ten")];
    const merged = { key: "tags", writer: "writer-1", seq: 1, what: "merged" };
    const rejected = { key: "note", writer: "writer-1", seq: 2, what: "rejected", code: "INVALID_VALUE" };
    // The push carries what it had set.
    for (let i = 0; i < 2; i++) {
      const { notes } = server.push({ ...a, ops });
      expect(notes).toMatchObject([merged, rejected]);
      for (const note of notes) expect(note).not.toHaveProperty("was");
    }
    // Another tab's op of the same number is another one.
    const { notes } = server.push({ ...a, writer: "writer-2", ops: [set(1, "clicks", 1, 0, null)] });
    expect(notes).toMatchObject([
      { ...merged, was: '["a"]' },
      { ...rejected, was: '"longer than ten"' },
    ]);
  });

  test("tells nobody that an op which stands is lost, since a late double of it came, and rests for none that is doubted", () => {
    const server = createServer();
    const late = { writer: "writer-old", ops: [set(3, "note", "mine")] };
    server.push(late);
    crowd(server, 4);
    expect(server.push(late).notes).toEqual([]);
    server.push({ writer: "writer-new", ops: [set(50, "note", "next", 1)] });
    crowd(server, 51);
    expect(server.push(late).notes).toMatchObject([{ what: "lost" }]);
    expect(server.push({ writer: "writer-new" }).notes).toEqual([]);
  });

  test("of a merge that throws refuses the change alone", () => {
    const server = createServer();
    server.push({ ops: [set(1, "fragile", ["a"], 0, null)] });
    const ops = [set(2, "fragile", ["b"], 0, null), set(3, "note", "kept")];
    expect(server.push({ writer: "writer-2", ops }).notes).toMatchObject([{ key: "fragile", what: "rejected" }]);
    expect([server.value("fragile"), server.value("note")]).toEqual([["a"], "kept"]);
  });

  test("is one of few, and quotes little", () => {
    const server = createServer();
    for (let i = 1; i <= 20; i++) {
      server.push({ ...a, ops: [set(i, "note", `a${i}`, 2 * i)] });
      server.push({ ...b, ops: [set(i, "note", `b${i}`, 0)] });
    }
    const latest = [13, 14, 15, 16, 17, 18, 19, 20];
    expect(server.push(a).notes.map(({ was }) => was)).toEqual(latest.map((i) => `"a${i}"`));
    const long = Array.from({ length: 4 }, (_, i) => set(i + 30, "note", `${i}`.repeat(3_000)));
    server.push({ ...a, ops: long });
    const notes = server.push({ ...a, writer: "writer-2" }).notes.slice(-4);
    expect(notes.map(({ was }) => was?.length ?? was)).toEqual([null, null, 3_002, 3_002]);
  });
});

test("nobody is told of a change that the other device had seen, nor of one between tabs of a browser", () => {
  const server = createServer();
  server.push({ profile: "profile-a", ops: [set(1, "note", "milk")] });
  server.push({ profile: "profile-b", ops: [set(1, "note", "bread", 1)] });
  server.push({ profile: "profile-b", writer: "writer-2", ops: [set(2, "note", "jam", 1)] });
  for (const profile of ["profile-a", "profile-b"]) expect(server.push({ profile, since: 0 }).notes).toEqual([]);
});

test("nobody is told of a change to the value that was chosen already, but of what the same push makes of it then", () => {
  const server = createServer();
  const [a, b] = [{ profile: "profile-a" }, { profile: "profile-b" }];
  const toldA = () => server.push({ ...a, since: 0 }).notes;
  server.push({ ...a, ops: [set(1, "note", "milk")] });
  server.push({ ...b, ops: [set(1, "note", "milk")] });
  expect(toldA()).toEqual([]);
  server.push({ ...a, ops: [set(2, "note", "tea", 2)] });
  server.push({ ...b, ops: [set(2, "note", "jam", 2), set(3, "note", "tea", 2)] });
  expect(toldA()).toEqual([]);
  server.push({ ...a, ops: [set(3, "note", "oats", 4)] });
  server.push({ ...b, ops: [set(4, "note", "oats", 4), set(5, "note", "rice", 4)] });
  expect(toldA()).toEqual([{ key: "note", writer: "writer-1", seq: 3, what: "lost", was: '"oats"' }]);
});

test("a late double of a change to what stands is not told as lost, whoever has chosen it since", () => {
  const server = createServer();
  const late = { writer: "writer-old", ops: [set(3, "note", "mine")] };
  server.push(late);
  server.push({ writer: "writer-new", ops: [set(4, "note", "mine", 1)] });
  crowd(server, 5);
  expect(server.push(late).notes).toEqual([]);
});

test("a conflict on a key with a merge joins both changes and says so", () => {
  const server = createServer();
  server.push({ ops: [set(1, "tags", ["a"], 0, null)] });
  const answer = server.push({ profile: "profile-2", writer: "writer-2", ops: [set(1, "tags", ["b"], 0, null)] });
  expect(server.value("tags")).toEqual(["a", "b"]);
  expect(answer.notes).toEqual([{ key: "tags", writer: "writer-2", seq: 1, what: "merged" }]);
});

test("one poison value is rejected alone and does not hold up the rest", () => {
  const server = createServer();
  const answer = server.push({
    ops: [
      set(1, "note", "longer than ten characters"),
      { seq: 2, key: "tags", value: "not json", base: 0, from: null },
      set(3, "user", "mallory"),
      set(4, "seed", "mallory"),
      set(5, "old", 1),
      set(6, "clicks", 1, 0, null),
    ],
  });
  expect(answer.acked).toBe(6);
  expect(answer.notes.map(({ key, what, code }) => [key, what, code])).toEqual([
    ["note", "rejected", "INVALID_VALUE"],
    ["tags", "rejected", "INVALID_VALUE"],
    ["user", "rejected", "FORBIDDEN_KEY"],
    ["seed", "rejected", "FORBIDDEN_KEY"],
    ["old", "rejected", "UNKNOWN_KEY"],
  ]);
  expect([server.value("clicks"), server.value("user"), server.value("seed")]).toEqual([1, null, null]);
});

test("a push that would overfill the session is rejected where it does not fit", () => {
  const server = createServer();
  const long = "x".repeat(600);
  const answer = server.push({ ops: [set(1, "tags", [long], 0, null), set(2, "tags", [long, `${long}y`], 0, [long])] });
  expect(answer.notes).toMatchObject([{ key: "tags", seq: 2, what: "rejected", code: "LIMIT_EXCEEDED" }]);
  expect(server.value("tags")).toEqual([long]);
});

describe("watermarks", () => {
  test("after a writer was forgotten, its late pushes change nothing", () => {
    const server = createServer();
    const late = { writer: "writer-old", ops: [set(3, "clicks", 1, 0, null)] };
    server.push(late);
    server.push({ writer: "writer-new", ops: [set(4, "clicks", 2, 1, 1)] });
    crowd(server, 5);
    const answer = server.push(late);
    expect(server.value("clicks")).toBe(2);
    expect(answer.notes).toEqual([{ key: "clicks", writer: "writer-old", seq: 3, what: "lost" }]);
  });

  test("a new writer after one was forgotten loses nothing, since its numbers are higher", () => {
    const server = createServer();
    server.push({ writer: "writer-old", ops: [set(3, "clicks", 1, 0, null)] });
    server.push({ writer: "writer-new", ops: [set(4, "clicks", 2, 1, 1)] });
    crowd(server, 5);
    server.push({ writer: "writer-3", ops: [set(50, "clicks", 1, 0, null)] });
    expect(server.value("clicks")).toBe(3);
  });

  test("are capped in number, and what was dropped still cannot be applied twice", () => {
    const server = createServer();
    const first = { writer: "writer-000", ops: [set(1, "clicks", 1, 0, null)] };
    server.push(first);
    for (let i = 1; i < 50; i++) {
      server.push({ writer: `writer-${String(i).padStart(3, "0")}`, ops: [set(i + 1, "clicks", i + 1, i, i)] });
    }
    server.push(first);
    expect(server.value("clicks")).toBe(50);
    const marks = server.record.entries.get("~sync:profile-1")?.value ?? "";
    expect(Object.keys((JSON.parse(marks) as { w: object }).w).length).toBeLessThanOrEqual(32);
  });

  test("of a hostile number of profiles are capped too", () => {
    const server = createServer();
    for (let i = 0; i < 100; i++) {
      const base = server.record.entries.get("note")?.rev ?? 0;
      server.push({ profile: `profile-${i}`, ops: [set(1, "note", `${i}`, base)] });
    }
    const rows = [...server.record.entries.keys()].filter((name) => name.startsWith("~"));
    expect(rows.length).toBeLessThanOrEqual(17);
    server.push({ profile: "profile-0", ops: [set(1, "note", "again")] });
    expect(server.value("note")).toBe("99");
  });
});

describe("the answer", () => {
  test("carries what changed since, no secret, and no echo of what the push itself set", () => {
    const server = createServer();
    server.push({ profile: "profile-2", ops: [set(1, "clicks", 1, 0, null)] });
    const answer = server.push({ ops: [set(1, "note", "mine")], since: 0 });
    expect(answer.entries).toEqual({ clicks: { value: "1", rev: 1 }, note: { rev: 2 } });
    expect(server.push({ since: 1 }).entries).toEqual({ note: { value: '"mine"', rev: 2 } });
    expect(server.push({ since: 2 }).entries).toEqual({});
  });

  test("takes an edit that has seen its sibling's for the later one, though the sibling's number is higher", () => {
    const server = createServer();
    const { rev } = server.push({ writer: "writer-a", ops: [set(100, "note", "first")] });
    server.push({ writer: "writer-b", ops: [set(91, "note", "second", rev)] });
    expect(server.value("note")).toBe("second");
  });

  test("tells how far every writer of the profile is decided, since their ops are in the entries", () => {
    const server = createServer();
    server.push({ writer: "writer-a", ops: [set(3, "clicks", 1, 0, null)] });
    server.push({ profile: "profile-2", writer: "writer-x", ops: [set(9, "clicks", 2, 1, 1)] });
    const answer = server.push({ writer: "writer-b", ops: [set(5, "clicks", 3, 2, 2)] });
    expect(answer.decided).toEqual({ "writer-a": 3, "writer-b": 5 });
    expect(decidedIn(server.record).decided).toEqual({ "writer-a": 3, "writer-b": 5, "writer-x": 9 });
  });

  test("tells of the latest writers, since a tab shows what it waits for and nothing older", () => {
    const server = createServer();
    server.push({ writer: "writer-a", ops: [set(3, "clicks", 1, 0, null)] });
    crowd(server, 4);
    const { decided } = server.push({ writer: "writer-b" });
    expect([Object.keys(decided).length, decided["crowd-31"], decided["crowd-19"]]).toEqual([12, 35, undefined]);
  });

  test("of a tab of another version of the app is no reset, though it knows other keys", () => {
    const server = createServer();
    const { rev } = server.push({ ops: [set(1, "note", "mine")] });
    expect(server.push({ since: rev, checksum: checksum({ fingerprint: "older" }, 0) })).not.toHaveProperty("reset");
  });

  test("tells of deleted keys by their revision, so that a stale tab cannot resurrect them", () => {
    const server = createServer();
    server.push({ ops: [set(1, "note", "x")] });
    server.push({ ops: [{ seq: 2, key: "note", value: null, base: 1 }] });
    expect(server.push({ since: 1 }).deleted).toEqual({ note: 2 });
  });

  test("is a reset when the server has gone back in time, and the tab's ops count again", () => {
    const server = createServer();
    const backup = server.record;
    server.push({ ops: [set(1, "clicks", 1, 0, null)] });
    server.restore(backup);
    const byRevision = server.push({ since: 1 });
    expect(byRevision).toMatchObject({ reset: true, rev: 0 });
    const byWatermark = server.push({ acked: 1, ops: [set(2, "clicks", 2, 1, 1)] });
    expect(byWatermark.reset).toBe(true);
    expect(server.value("clicks")).toBe(1);
  });

  test("is a reset also when the push itself brings the server to a revision that the tab has seen before", () => {
    const server = createServer();
    const backup = server.push({ ops: [set(1, "note", "first")] }) && server.record;
    server.push({ profile: "profile-2", ops: [set(1, "clicks", 1, 0, null)] });
    server.restore(backup);
    const answer = server.push({ since: 2, acked: 1, ops: [set(2, "note", "second", 1)] });
    expect(answer).toMatchObject({ reset: true, rev: 2, entries: { note: { rev: 2 } } });
  });
});

test("a tab that seems to be up to date with another past than the server's is told everything", () => {
  const server = createServer();
  const told = server.push({ ops: [set(1, "note", "mine"), set(2, "clicks", 1, 0, null)] });
  const knows = checksum(shop, valueSum("note", '"mine"') + valueSum("clicks", "1"));
  expect(server.push({ since: told.rev, checksum: knows })).not.toHaveProperty("reset");
  const other = server.push({ since: told.rev, checksum: checksum(shop, 0) });
  expect(other).toMatchObject({ reset: true, entries: { note: { value: '"mine"' }, clicks: { value: "1" } } });
});

describe("before anything is read or applied", () => {
  const record = { ...empty, rev: 1 };
  const screen = (
    live: SessionRecord | null,
    previous: "none" | "unknown" | "expired",
    parts: Parameters<typeof push>[0],
    named: string[] = [],
  ) => screenPush({ definition: shop, tokens }, { record: live, previous, named }, push(parts), 0);

  test("the identifier is checked", () => {
    const foreign = { identifier: "x".repeat(22), ops: [set(1, "note", "theirs")] };
    expect(screen(record, "none", foreign)).toMatchObject({ ok: false, code: "SESSION_REPLACED" });
    expect(screen(null, "unknown", foreign)).toMatchObject({ ok: false, code: "SESSION_GONE" });
    expect(screen(null, "expired", foreign)).toMatchObject({ ok: false, code: "SESSION_EXPIRED" });
    expect(screen(record, "none", { identifier: record.identifier })).toBeNull();
  });

  test("the protocol is checked", () => {
    expect(screen(record, "none", { protocol: 0 })).toMatchObject({ ok: false, code: "PROTOCOL_MISMATCH" });
  });

  test("a tab that knows of no session learns which it has, and nothing of its push is applied", () => {
    const answer = screen(record, "none", { ops: [set(1, "note", "early")] });
    expect(answer).toMatchObject({ ok: true, identifier: record.identifier, acked: 0 });
  });

  test("a nonce whose session has ended makes it no second time, where the cookie tells of the first", () => {
    const nonce = "n".repeat(43);
    const first = { identifier: null, nonce, ops: [set(1, "note", "late")] };
    const made = tokens.identifierOf(nonce);
    expect(screen(null, "unknown", first, [made])).toMatchObject({ ok: false, code: "SESSION_GONE" });
    expect(screen(null, "expired", first, [made])).toMatchObject({ ok: false, code: "SESSION_EXPIRED" });
    // What asks without changes makes nothing, and another session's end is no matter of this nonce.
    expect(screen(null, "unknown", { ...first, ops: [] }, [made])).toBeNull();
    expect(screen(null, "unknown", first, ["x".repeat(22)])).toBeNull();
    expect(screen(null, "none", first)).toBeNull();
  });
});
