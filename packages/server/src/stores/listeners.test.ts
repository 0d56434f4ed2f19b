import { expect, test } from "vitest";
import { Listeners } from "./listeners.ts";

const settled = () => new Promise((resolve) => setImmediate(resolve));

function listen() {
  const listeners = new Listeners();
  const told: number[] = [];
  const leave = listeners.add(
    "key",
    (rev) => told.push(rev),
    () => undefined,
  );
  return { listeners, told, leave };
}

test("each revision is told once, and the end too", async () => {
  const { listeners, told } = listen();
  for (const rev of [1, 1, 2, 0, 0]) listeners.tell("key", rev);
  await settled();
  expect(told).toEqual([1, 2, 0]);
});

test("a session that was taken back, by a failover or a backup, is told of with its lower revision", async () => {
  const { listeners, told } = listen();
  listeners.tell("key", 30);
  await listeners.look(["key"], async () => new Map([["key", 27]]));
  listeners.tell("key", 28);
  await settled();
  expect(told).toEqual([30, 27, 28]);
});

test("what was read before the news came is not told after it", async () => {
  const { listeners, told } = listen();
  await listeners.look(["key"], async () => {
    listeners.tell("key", 5);
    return new Map([["key", 4]]);
  });
  await settled();
  expect(told).toEqual([5]);
});

test("who has left is told nothing more, also of what was on its way", async () => {
  const { listeners, told, leave } = listen();
  listeners.tell("key", 1);
  leave();
  await settled();
  expect(told).toEqual([]);
  expect(listeners.size).toBe(0);
});
