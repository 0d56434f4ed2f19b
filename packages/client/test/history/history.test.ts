import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anomalies, type Event } from "./history.ts";

const never = Number.POSITIVE_INFINITY;
const at = (from: number, to: number, client = 0) => ({ client, key: "k", from, to });
const write = (value: string, from: number, to: number): Event => ({ ...at(from, to), do: "write", value });
const read = (value: string | null, from: number, to: number): Event => ({ ...at(from, to, 1), do: "read", value });
const increment = (from: number, to: number): Event => ({ ...at(from, to), do: "increment" });
const count = (value: number, from: number, to: number): Event => ({ ...at(from, to, 1), do: "count", value });
const add = (element: string, from: number, to: number): Event => ({ ...at(from, to), do: "add", element });
const elements = (shown: string[], from: number, to: number): Event => ({
  ...at(from, to, 1),
  do: "elements",
  elements: shown,
});

describe("the checker rejects", () => {
  const bad: Record<string, Event[]> = {
    "a read of what was overwritten before it began": [write("a", 0, 1), write("b", 2, 3), read("a", 4, 5)],
    "a read of nothing after a write was acknowledged": [write("a", 0, 1), read(null, 2, 3)],
    "a value from nowhere": [read("a", 0, 1)],
    "a value read before its write began": [read("a", 0, 1), write("a", 2, 3)],
    "two readers who see two concurrent writes in different orders": [
      write("a", 0, 9),
      write("b", 0, 9),
      read("a", 10, 11),
      read("b", 12, 13),
      read("a", 14, 15),
    ],
    "a value that comes back": [write("a", 0, 1), write("b", 2, 9), read("b", 3, 4), read("a", 5, 6)],
    "a write that was acknowledged and never seen, although the value before it is still there": [
      write("a", 0, 1),
      write("b", 2, 3),
      read("a", 4, 5),
      read("a", 6, 7),
    ],
    "an unanswered write that is seen, unseen, and seen again": [
      write("a", 0, 1),
      write("b", 2, never),
      read("b", 3, 4),
      read("a", 5, 6),
      read("b", 7, 8),
    ],
    "a lost increment": [increment(0, 1), increment(2, 3), count(1, 4, 5)],
    "an increment that counts twice": [increment(0, 1), count(2, 2, 3)],
    "an unanswered increment that counts twice": [increment(0, never), count(2, 2, 3)],
    "a counter that falls": [increment(0, 9), count(1, 2, 3), count(0, 4, 5)],
    "a lost element": [add("x", 0, 1), elements([], 2, 3)],
    "an element twice": [add("x", 0, 1), elements(["x", "x"], 2, 3)],
    "an element from nowhere": [elements(["x"], 2, 3)],
    "an element that goes again": [add("x", 0, 9), elements(["x"], 1, 2), elements([], 3, 4)],
  };
  for (const [name, history] of Object.entries(bad)) test(name, () => expect(anomalies(history)).not.toEqual([]));
});

describe("the checker accepts", () => {
  const good: Record<string, Event[]> = {
    "either value while a write is under way": [write("a", 0, 1), write("b", 2, 9), read("a", 3, 4), read("b", 5, 6)],
    "an unanswered write that takes effect late": [write("a", 0, never), read(null, 1, 2), read("a", 8, 9)],
    "an unanswered write that never does": [write("a", 0, 1), write("b", 2, never), read("a", 8, 9)],
    "a write that another one covers at once": [write("a", 0, 9), write("b", 0, 9), read("b", 10, 11)],
    "an unanswered increment, counted or not": [increment(0, never), count(0, 2, 3), count(1, 4, 5)],
    "other keys apart": [{ ...write("a", 0, 1), key: "j" }, read(null, 2, 3)],
  };
  for (const [name, history] of Object.entries(good)) test(name, () => expect(anomalies(history)).toEqual([]));

  test("whatever has an instant for each operation, and a wrong reading in it is found", () => {
    const operation = fc.record({
      do: fc.constantFrom("write" as const, "read", "increment", "count", "add", "elements"),
      before: fc.nat(30),
      after: fc.nat(30),
      client: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), fc.nat(), (operations, which) => {
        const state = { register: null as string | null, counter: 0, set: [] as string[] };
        const history = operations.map(({ do: what, before, after, client }, i): Event => {
          const where = { client, from: i * 10 - before, to: i * 10 + after };
          switch (what) {
            case "write":
              state.register = `v${i}`;
              return { ...where, key: "r", do: what, value: state.register };
            case "read":
              return { ...where, key: "r", do: what, value: state.register };
            case "increment":
              state.counter++;
              return { ...where, key: "c", do: what };
            case "count":
              return { ...where, key: "c", do: what, value: state.counter };
            case "add":
              state.set = [...state.set, `e${i}`];
              return { ...where, key: "s", do: what, element: `e${i}` };
            default:
              return { ...where, key: "s", do: what, elements: state.set };
          }
        });
        expect(anomalies(history)).toEqual([]);
        const counts = history.filter((event) => event.do === "count");
        const wrong = counts[which % Math.max(1, counts.length)];
        if (!wrong) return;
        const more = history.filter(({ do: what }) => what === "increment").length + 1;
        expect(anomalies(history.map((event) => (event === wrong ? { ...wrong, value: more } : event)))).not.toEqual(
          [],
        );
      }),
    );
  });
});
