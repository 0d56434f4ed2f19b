import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import type { SessionRecord } from "../stores/store.ts";
import { Streams } from "./streams.ts";

test("a stream ends when its browser leaves, and all end with the server, which opens no more", () => {
  const streams = new Streams(16);
  const [left, stays] = [new AbortController(), new AbortController()];
  const [first, second, third] = [left.signal, stays.signal, undefined].map((signal) => streams.open("s", signal));
  left.abort();
  expect([first, second, third].map((stream) => stream?.signal.aborted)).toEqual([true, false, false]);
  expect(streams.open("s", left.signal).signal.aborted).toBe(true);
  streams.end();
  expect([second, third].map((stream) => stream?.signal.aborted)).toEqual([true, true]);
  expect(() => streams.open("s", undefined)).toThrow("closing");
});

test("a stream that asks while a read is under way is given what was read after it asked", async () => {
  const streams = new Streams(16);
  let rev = 1;
  const reading: (() => void)[] = [];
  const read = async () => {
    const record = { rev };
    await new Promise<void>((resolve) => reading.push(resolve));
    return record as SessionRecord;
  };
  const first = streams.read("s", read);
  await expect.poll(() => reading.length).toBe(1);
  rev = 2;
  const [second, third] = [streams.read("s", read), streams.read("s", read)];
  await expect.poll(() => reading.length).toBe(2);
  for (const end of reading) end();
  expect((await Promise.all([first, second, third])).map((record) => record?.rev)).toEqual([1, 2, 2]);
});

test("of streams that are over nothing is left in memory, nor at the connections that they came by", async () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  const streams = new Streams(1);
  const connection = new AbortController();
  const open = (left: AbortController) => {
    const stream = streams.open("s", left.signal);
    const heard = { bytes: new Uint8Array(1_000) };
    stream.signal.addEventListener("abort", () => heard);
    if (left !== connection) left.abort();
    stream.close();
    return new WeakRef(heard);
  };
  const over = Array.from({ length: 100 }, (_, i) => open(i % 2 === 0 ? connection : new AbortController()));
  expect(getEventListeners(connection.signal, "abort")).toEqual([]);
  await new Promise((resolve) => setTimeout(resolve));
  gc();
  expect(over.filter((ref) => ref.deref() !== undefined)).toHaveLength(0);
});
