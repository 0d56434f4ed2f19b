import { strict as assert } from "node:assert";
import { lawOfTwo, type StoreLaw } from "./law.ts";

/** A law of stores that several processes share and that say whose turn a task is. */
const lawOfLease = (name: string, check: Parameters<typeof lawOfTwo<"lease">>[1]): StoreLaw =>
  lawOfTwo(name, check, "lease");

const hour = 3_600_000;

export const leaseLaws: readonly StoreLaw[] = [
  lawOfLease("a task is one holder's at a time, who may take it on again", async (one, two) => {
    const turns = await Promise.all([one.lease("task", "a", hour), two.lease("task", "b", hour)]);
    assert.equal(turns.filter(Boolean).length, 1, "one of two at once has it");
    const [holder, other] = turns[0] ? ["a", "b"] : ["b", "a"];
    assert.equal(await two.lease("task", holder, hour), true, "the holder has it again, over whichever handle");
    assert.equal(await one.lease("task", other, hour), false, "the other one has it not");
    assert.equal(await one.lease("another task", other, hour), true, "another task is another matter");
  }),

  lawOfLease("a task is anybody's when its time is over", async (one, two) => {
    assert.equal(await one.lease("task", "a", 50), true);
    const deadline = performance.now() + 5_000;
    while (!(await two.lease("task", "b", hour))) {
      assert.ok(performance.now() < deadline, "it is free once its time is over");
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(await one.lease("task", "a", 50), false, "and then the other one's");
  }),

  lawOfLease(
    "a task that its holder gives back is free at once, and nobody else can give it back",
    async (one, two) => {
      assert.equal(await one.lease("task", "a", hour), true);
      await two.lease("task", "b", 0);
      assert.equal(await two.lease("task", "b", hour), false, "it is still the holder's");
      await two.lease("task", "a", 0);
      assert.equal(await one.lease("task", "b", hour), true, "and then anybody's");
      await one.lease("never taken", "a", 0);
      assert.equal(await two.lease("never taken", "b", hour), true);
    },
  ),
];
