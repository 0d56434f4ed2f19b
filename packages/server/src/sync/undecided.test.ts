import { type AnyDefinition, counter, defineSession, type Op } from "@catnap/shared";
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { push } from "../../test/pushes.ts";
import { committed } from "../stores/entries.ts";
import type { SessionRecord } from "../stores/store.ts";
import { answerPush } from "./answer.ts";
import { applyPush } from "./push.ts";

// A rolling deploy, and one that is rolled back: pushes reach processes of two versions in turns.

const older = defineSession({ shared: { visits: counter(), note: z.string() } });
const newer = defineSession({ shared: { visits: counter(), note: z.string(), stars: counter(), tip: z.string() } });

function createServer() {
  let record: SessionRecord = {
    ...{ identifier: "i".repeat(22), rev: 0, createdAt: 0, endsAt: 1e15, accessedAt: 0, timeoutMs: 1e12 },
    ...{ transactions: 0, subject: null, authenticatedAt: null, entries: new Map() },
  };
  return {
    value: (name: string) => JSON.parse(record.entries.get(name)?.value ?? "null") as unknown,
    rev: () => record.rev,
    /** What rests of the browser's watermarks. */
    marks: () => JSON.parse(record.entries.get("~sync:profile-1")?.value ?? "{}") as { u?: object },
    push(definition: AnyDefinition, ops: readonly Op[], upTo = ops.at(-1)?.seq ?? 0) {
      const sent = push({ identifier: record.identifier, ops, upTo });
      const outcome = applyPush(definition, record, sent, 10_000);
      if (outcome.changes.size > 0) {
        const commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map(), changes: outcome.changes };
        record = committed(record.identifier, record, commit, record.rev + 1);
      }
      return answerPush(definition, record, sent, outcome, 0);
    },
  };
}

const add = (seq: number, key: string, from: number): Op => ({
  ...{ seq, key, base: 0, value: String(from + 1), from: from === 0 ? null : String(from) },
});

test("an op of a key that a process does not know waits, what comes after it does not, and it counts once where it is known", () => {
  const server = createServer();
  const ops = [add(1, "stars", 0), add(2, "visits", 0), add(3, "stars", 1)];
  const first = server.push(older, ops);
  expect([first.acked, first.undecided, first.notes]).toEqual([2, { "writer-1": [1, 3] }, []]);
  expect([server.value("visits"), server.value("stars")]).toEqual([1, null]);
  const waiting = [ops[0], ops[2]] as Op[];
  // Asked again, an old process writes nothing.
  const { rev } = server;
  const before = rev();
  expect(server.push(older, waiting)).toMatchObject({ acked: 2, undecided: { "writer-1": [1, 3] } });
  expect(rev()).toBe(before);
  const second = server.push(newer, waiting);
  expect([second.acked, second.undecided]).toEqual([3, undefined]);
  expect(server.value("stars")).toBe(2);
  for (const definition of [older, newer]) server.push(definition, ops);
  expect([server.value("visits"), server.value("stars"), server.marks().u]).toEqual([1, 2, undefined]);
});

test("an op that its browser has given up is waited for no more", () => {
  const server = createServer();
  server.push(older, [add(1, "stars", 0), add(2, "visits", 0)]);
  expect(server.push(older, [add(3, "visits", 1)])).toMatchObject({ acked: 3 });
  expect(server.marks().u).toBeUndefined();
  server.push(newer, [add(1, "stars", 0)]);
  expect(server.value("stars")).toBe(null);
});

test("a late push of what waited once forgets nothing of what waits since", () => {
  const server = createServer();
  const [one, two, three, four] = [add(1, "stars", 0), add(2, "visits", 0), add(3, "stars", 1), add(4, "visits", 1)];
  const late = [one, two];
  server.push(older, late);
  server.push(older, [one, three, four]);
  server.push(newer, late);
  expect(server.value("stars")).toBe(1);
  expect(server.push(newer, [three])).toMatchObject({ acked: 4 });
  expect(server.value("stars")).toBe(2);
});

test("of more ops than it remembers, a process lets the rest wait as well, and all count", () => {
  const server = createServer();
  const ops = Array.from({ length: 100 }, (_, i) => add(2 * i + 1, "stars", i));
  const all = [...ops, add(200, "visits", 0)];
  expect(server.push(older, all)).toMatchObject({ acked: 0, undecided: { "writer-1": all.map(({ seq }) => seq) } });
  expect(server.push(newer, all)).toMatchObject({ acked: 200 });
  expect([server.value("stars"), server.value("visits")]).toEqual([100, 1]);
});

test("whatever processes a browser's pushes meet, once or twice, and whichever answers get lost, each op counts once", () => {
  const step = fc.record({
    key: fc.constantFrom("stars", "visits"),
    to: fc.constantFrom(older, newer),
    heard: fc.boolean(),
    again: fc.option(fc.nat(20), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
      const server = createServer();
      const made = { stars: 0, visits: 0 };
      let pending: Op[] = [];
      const sent: { ops: Op[] }[] = [];
      const exchange = (definition: AnyDefinition, heard: boolean) => {
        sent.push({ ops: pending });
        const { acked, undecided } = server.push(definition, pending);
        const left = undecided?.["writer-1"] ?? [];
        if (heard) pending = pending.filter(({ seq }) => seq > acked || left.includes(seq));
      };
      for (const [i, { key, to, heard, again }] of steps.entries()) {
        pending = [...pending, add(i + 1, key, made[key as "stars"]++)];
        exchange(to, heard);
        const late = again === undefined ? undefined : sent[again % sent.length];
        if (late) server.push(to, late.ops);
      }
      exchange(newer, true);
      expect(pending).toEqual([]);
      expect({ stars: server.value("stars") ?? 0, visits: server.value("visits") ?? 0 }).toEqual(made);
    }),
    { numRuns: 2_000 },
  );
});
