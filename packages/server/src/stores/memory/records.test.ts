import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import type { SessionRecord } from "../store.ts";
import { MemoryRecords } from "./records.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const entries = new Map();
const record = (n: number): SessionRecord => ({
  ...{ identifier: `session-${n}`, rev: 1, createdAt: 0, endsAt: 9, accessedAt: 0, timeoutMs: 9, transactions: 1 },
  ...{ subject: null, authenticatedAt: null, entries },
});

function heap(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

test.for([
  ["while there is room", false],
  ["after somebody had to go", true],
] as const)("sessions that are used again and again take no more memory, %s", ([, isFull]) => {
  const records = new MemoryRecords();
  for (let n = 0; n < 4; n++) records.keep(record(n));
  if (isFull) records.delete(records.next(0, "")?.identifier ?? "");
  const use = (times: number) => {
    for (let n = 0; n < times; n++) records.keep(record(1 + (n % 3)));
  };
  use(10_000);
  const before = heap();
  use(300_000);
  // Each use that left something behind left a hundred bytes.
  expect(heap() - before).toBeLessThan(5_000_000);
});

test("whoever was not used for longest goes first, however often others were used since it was asked", () => {
  const records = new MemoryRecords();
  for (let n = 0; n < 5; n++) records.keep(record(n));
  const gone: string[] = [];
  for (let round = 0; round < 3; round++) {
    const { identifier } = records.next(0, "") as SessionRecord;
    gone.push(identifier);
    records.delete(identifier);
    for (let n = 0; n < 20; n++) records.keep(record(3 + (n % 2)));
  }
  expect(gone).toEqual(["session-0", "session-1", "session-2"]);
});
