import { isSessionError } from "@catnap/shared";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SessionRecord } from "../store.ts";
import { toClock, toCount, toFlag, toNews, toOutcome, toPage, toRecord, toRevisions, toRows } from "./replies.ts";
import { afterEntry, afterField, armour, disarm } from "./text.ts";

// Whatever a database, or what stands before it, gives back: it is read, or it is STORE_UNUSABLE.

const secret = "the value of a key";

/** What reading gave, or nothing where it refused as it should. */
function attempt<T>(read: () => T, identifier?: string): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!isSessionError(error, "STORE_UNUSABLE")) throw error;
    expect(error.message).toMatch(/restore|hand postgresStore/);
    expect(error.message).not.toContain(secret);
    expect(error.cause).toBeUndefined();
    if (identifier !== undefined) expect(error.message).toContain(`session ${identifier} `);
    return undefined;
  }
}

const whole = fc.nat();
const time = fc.double({ noNaN: true, noDefaultInfinity: true });
const text = fc.string({ unit: "binary" });
const entryRow = fc.tuple(text.map(armour), whole, text.map(armour), whole, fc.option(fc.constant(secret)));
const recordRow = fc.tuple(
  fc.tuple(whole, time, time, time, time, whole, fc.option(text), fc.option(time), time),
  fc.option(fc.array(entryRow, { maxLength: 3 })),
);
const infoRow = fc.tuple(
  fc.option(text),
  time,
  time,
  time,
  fc.option(time),
  whole,
  fc.option(fc.array(fc.tuple(text.map(armour), fc.constant(secret)), { maxLength: 3 })),
);
const junk = fc.oneof(
  fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true }),
  fc.constantFrom<unknown>("NaN", "Infinity", -1, 0.5, 2 ** 53, "\u0001", "\u0001zzzz", "[", "{}", "", null),
);

/** Puts something else at one place of a tree of lists, or takes it out. */
function damage(tree: unknown, path: readonly number[], what: unknown, removes: boolean): unknown {
  const [step, ...rest] = path;
  if (!Array.isArray(tree) || tree.length === 0 || step === undefined) return what;
  const at = step % tree.length;
  if (removes) return tree.toSpliced(at, 1);
  return tree.with(at, damage(tree[at], rest, what, removes));
}

/** A record as the database sends it; whatever has the place of a list comes as it is. */
function toReply(tree: unknown): string {
  const [row, entries] = Array.isArray(tree) ? tree : [tree, null];
  const rest = Array.isArray(entries) ? entries.map(toEntry).join(afterEntry) : String(entries);
  return JSON.stringify(row) + (entries === null ? "" : afterEntry + rest);
}

function toEntry(fields: unknown): string {
  return Array.isArray(fields) ? fields.filter((field) => field !== null).join(afterField) : String(fields);
}

/** A valid reply as text, damaged at one place or cut off. */
const damaged = (row: fc.Arbitrary<unknown>, toText: (tree: unknown) => string = JSON.stringify) =>
  fc
    .tuple(row, fc.array(fc.nat(20), { minLength: 1, maxLength: 3 }), fc.jsonValue(), fc.boolean(), fc.nat(200))
    .map(([tree, path, what, removes, cut]) => {
      const reply = toText(damage(tree, path, what, removes)) ?? "";
      return cut < 50 ? reply.slice(0, cut) : reply;
    });

function expectRecord(record: SessionRecord): void {
  const { rev, createdAt, endsAt, accessedAt, timeoutMs, transactions, subject, authenticatedAt, entries } = record;
  for (const count of [rev, transactions]) expect(Number.isSafeInteger(count)).toBe(true);
  for (const at of [createdAt, endsAt, accessedAt, timeoutMs, authenticatedAt ?? 0])
    expect(Number.isFinite(at)).toBe(true);
  expect(typeof (subject ?? "")).toBe("string");
  for (const [key, entry] of entries) {
    expect([typeof key, typeof (entry.value ?? ""), typeof entry.writer]).toEqual(["string", "string", "string"]);
    expect([entry.rev, entry.seq].every(Number.isSafeInteger)).toBe(true);
  }
}

describe("what a database gives back", () => {
  test("a record comes as it rests, or is refused", () => {
    fc.assert(
      fc.property(recordRow, (row) => {
        const read = attempt(() => toRecord("alice", toReply(row)), "alice");
        const [[rev, , endsAt], entries] = row;
        // Entries that were left out are those of the record in memory, and only of it.
        if (entries === null) {
          expect(read).toBeUndefined();
          return;
        }
        expect(read?.record).toMatchObject({
          identifier: "alice",
          rev,
          endsAt: JSON.parse(JSON.stringify(endsAt)),
        });
        expect([...(read?.record.entries.keys() ?? [])]).toEqual([...new Set(entries.map(([key]) => disarm(key)))]);
      }),
    );
  });

  test("entries that the database has left out are those that are known under their stamp", () => {
    const entries = new Map([["a", { value: "1", rev: 1, writer: "server", seq: 0 }]]);
    const reply = JSON.stringify([1, 0, 0, 0, 0, 1, null, null, 7]);
    expect(toRecord("alice", reply, { stamp: 7, entries }).record.entries).toBe(entries);
    expect(attempt(() => toRecord("alice", reply, { stamp: 8, entries }), "alice")).toBeUndefined();
    expect(attempt(() => toRecord("alice", reply), "alice")).toBeUndefined();
  });

  test("an entry with a field too many or too few is refused", () => {
    const row = [1, 0, 0, 0, 0, 1, null, null, 7];
    const fits = ["a", 1, "server", 0, secret];
    expect(toRecord("alice", toReply([row, [fits]])).record.entries.get("a")?.value).toBe(secret);
    for (const entry of [[...fits, secret], fits.slice(0, 3)])
      expect(attempt(() => toRecord("alice", toReply([row, [entry]])), "alice")).toBeUndefined();
  });

  test("a damaged record is read as a record, or refused with its identifier and without its values", () => {
    fc.assert(
      fc.property(fc.oneof(damaged(recordRow, toReply), junk), (json) => {
        const read = attempt(() => toRecord("alice", json), "alice");
        if (read) expectRecord(read.record);
      }),
    );
  });

  test("so are the outcome of a commit and a page", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          damaged(recordRow, toReply),
          junk,
          fc.tuple(junk, junk).map(([rev, prior]) => `${fc.stringify(rev)} ${fc.stringify(prior)}`),
        ),
        (result) => {
          const outcome = attempt(() => toOutcome("alice", [{ result }]));
          if (outcome?.kind === "committed")
            expect(Number.isSafeInteger(outcome.rev) && Number.isFinite(outcome.prior)).toBe(true);
          if (outcome?.kind === "refused" && outcome.record) expectRecord(outcome.record);
        },
      ),
    );
    fc.assert(
      fc.property(fc.oneof(damaged(infoRow), junk), (info) => {
        const page = attempt(() => toPage([{ identifier: "alice", info }], 1), "alice");
        const [item] = page?.items ?? [];
        if (!item) return;
        for (const at of [item.createdAt, item.accessedAt, item.expiresAt]) expect(Number.isFinite(at)).toBe(true);
        for (const [name, value] of item.entries ?? [])
          expect([typeof name, typeof value]).toEqual(["string", "string"]);
      }),
    );
  });

  test("rows of any form are read or refused, by every reader", () => {
    const rows = fc.oneof(
      junk,
      fc.array(junk, { maxLength: 2 }),
      fc.array(
        fc.dictionary(
          fc.constantFrom("result", "identifier", "info", "rev", "now", "swept", "erased", "version"),
          junk,
        ),
        { maxLength: 2 },
      ),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          rows,
          rows.map((all) => ({ rows: all })),
        ),
        (reply) => {
          const read = attempt(() => toRows(reply));
          if (!read) return;
          for (const reader of [
            () => toOutcome("alice", read),
            () => toPage(read, 1),
            () => toRevisions(read),
            () => toClock(read),
            () => toCount(read, "swept"),
            () => toFlag(read, "erased"),
          ])
            attempt<unknown>(reader);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("a notification is news of a session or nothing", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          fc.tuple(text, text).map((parts) => parts.join(" ")),
        ),
        (payload) => {
          const news = toNews(payload);
          if (news) expect(Number.isSafeInteger(news.rev) && news.rev >= 0).toBe(true);
        },
      ),
    );
    fc.assert(
      fc.property(text, fc.maxSafeNat(), (key, rev) => {
        expect(toNews(`${armour(key)} ${rev}`)).toEqual({ key, rev });
      }),
    );
  });
});
