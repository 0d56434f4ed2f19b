import { expect, test } from "vitest";
import { Random } from "../history/random.ts";
import { World } from "./world.ts";

const browsers = 1000;

test("a thousand browsers that find their server back do not all come at once, and all come within a minute", {
  timeout: 120_000,
}, async () => {
  const random = new Random(1);
  const world = new World(() => random.next());
  const restoreTimers = world.time.install();
  try {
    const tabs = Array.from({ length: browsers }, () => world.tab(world.device(0)));
    for (const { session } of tabs) {
      session.setValue("note", "written offline");
      void Promise.resolve(session.awake()).catch(() => undefined);
    }
    /** One second; how many requests it brought. */
    const second = async (up: boolean) => {
      await world.pass(1000);
      const messages = [...world.messages];
      for (const message of messages) {
        if (!up) world.lose(message);
        else {
          await world.deliver(message);
          world.answer(message);
        }
      }
      await world.settle();
      return messages.length;
    };
    const away: number[] = [];
    for (let i = 0; i < 600; i++) away.push(await second(false));
    const load: number[] = [];
    const pending = () => tabs.filter(({ session }) => session.status().pending > 0).length;
    while (pending() > 0 && load.length < 300) load.push(await second(true));

    const lately = away.slice(-60);
    console.log(
      `The server of ${browsers} browsers was asked ${sum(lately) / 60} times a second before it came back, then ` +
        `${Math.max(...load)} times in its busiest second; all were served after ${load.length} s: ${load.join(" ")}`,
    );
    expect(pending()).toBe(0);
    expect(load.length).toBeLessThanOrEqual(62);
    // Each waits for up to a minute: evenly spread that is some 33; all at once, 1,000.
    expect(Math.max(...load)).toBeLessThan(browsers / 10);
    expect(Math.max(...lately)).toBeLessThan(browsers / 10);
    for (const tab of tabs) world.kill(tab);
  } finally {
    restoreTimers();
  }
});

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
