import { afterEach, expect, test } from "vitest";
import { Random } from "../history/random.ts";
import { World } from "./world.ts";

const browsers = 1000;
/** How long a request takes. */
const tickMs = 100;

/** A thousand browsers of one tab each, every one in a session of its own. */
class Crowd {
  readonly #random = new Random(1);
  readonly world: World = new World(() => this.#random.next());
  /** How often each writes in a second. */
  writes = 0;
  readonly #tabs;
  readonly #restoreTimers = this.world.time.install();

  constructor(live: boolean) {
    this.#tabs = Array.from({ length: browsers }, () => this.world.tab(this.world.device(0, live)));
    for (const { session } of this.#tabs) void Promise.resolve(session.awake()).catch(() => undefined);
  }

  close(): void {
    for (const tab of this.#tabs) this.world.kill(tab);
    this.#restoreTimers();
  }

  get pending(): number {
    return this.#tabs.filter(({ session }) => session.status().pending > 0).length;
  }

  write(): void {
    for (const { session } of this.#tabs) session.setValue("note", "written at once");
  }

  /** So many seconds with the server up or away: how many requests each brought. */
  async seconds(count: number, server: "up" | "away"): Promise<number[]> {
    const load: number[] = [];
    for (let second = 0; second < count; second++) {
      let requests = 0;
      for (let ms = 0; ms < 1000; ms += tickMs) requests += await this.#tick(server);
      load.push(requests);
    }
    return load;
  }

  /** The server's process gives way to the next: all streams come to their end. */
  async endStreams(): Promise<void> {
    await this.world.restart();
    await this.world.settle();
    for (const message of [...this.world.messages]) {
      await this.world.deliver(message);
      this.world.answer(message);
    }
    await this.world.settle();
  }

  async #tick(server: "up" | "away"): Promise<number> {
    const { world } = this;
    for (const { session } of this.#tabs) {
      if (this.#random.next() < (this.writes * tickMs) / 1000) session.update("visits", (visits) => visits + 1);
    }
    await world.pass(tickMs);
    const messages = [...world.messages];
    for (const message of messages) {
      if (server === "up") {
        await world.deliver(message);
        world.answer(message);
      } else world.lose(message);
    }
    await world.settle();
    return messages.length;
  }
}

const crowds: Crowd[] = [];
afterEach(() => {
  for (const crowd of crowds.splice(0)) crowd.close();
});

function gather(live: boolean): Crowd {
  const crowd = new Crowd(live);
  crowds.push(crowd);
  return crowd;
}

const most = (load: readonly number[]) => Math.max(...load);

/** Of an outage of so many seconds, at whose beginning all have just written: how many may come in a second when the server is back. */
const outages: [seconds: number, bound: number][] = [
  // By then they have knocked some three times, and wait for up to eight seconds.
  [5, browsers / 2],
  [60, browsers / 10],
  // Each waits for up to a minute: evenly spread that is some 33.
  [600, browsers / 10],
];

test.each(outages)(
  "a thousand browsers whose server was away for %i s do not all come at once, and all come within a minute",
  {
    timeout: 120_000,
  },
  async (outage, bound) => {
    const crowd = gather(false);
    await crowd.seconds(2, "up");
    crowd.write();
    const away = await crowd.seconds(outage, "away");
    const back = await crowd.seconds(10, "up");
    const left = crowd.pending;
    while (crowd.pending > 0 && back.length < 62) back.push(...(await crowd.seconds(1, "up")));
    console.log(
      `A server of ${browsers} browsers that is away for ${outage} s is asked ${most(away)} times in its busiest second, ` +
        `${away.at(-1)} times in the last; back again, ${most(back)} times: ${browsers - left} are served within 10 s, ` +
        `all within ${back.length}: ${back.join(" ")}`,
    );
    expect(crowd.pending).toBe(0);
    expect(most(back)).toBeLessThan(bound);
    // The first retries are quick: a connection that was lost for a moment is the usual case.
    expect(most(away)).toBeLessThan(1.5 * browsers);
    if (outage === 5) expect(left).toBeLessThan(browsers / 20);
  },
);

test("a thousand browsers at work, whose server is away for five seconds, ask it less than four times as often as before", {
  timeout: 60_000,
}, async () => {
  const crowd = gather(false);
  await crowd.seconds(2, "up");
  crowd.writes = 0.1;
  const before = await crowd.seconds(5, "up");
  const away = await crowd.seconds(5, "away");
  const back = await crowd.seconds(10, "up");
  console.log(
    `Each second brought ${before.join(" ")} requests; then, for 5 s, ${away.join(" ")}; then ${back.join(" ")}`,
  );
  expect(most(away)).toBeLessThan(4 * most(before));
  expect(most(back)).toBeLessThan(3 * most(before));
});

test.each([0, 5])(
  "a thousand live streams that a deploy ends, with no server for %i s, come back one after another",
  {
    timeout: 60_000,
  },
  async (outage) => {
    const crowd = gather(true);
    crowd.write();
    await crowd.seconds(15, "up");
    await crowd.endStreams();
    const away = await crowd.seconds(outage, "away");
    const back: number[] = [];
    const all = () => back.reduce((a, b) => a + b, 0);
    while (all() < browsers && back.length < 62) back.push(...(await crowd.seconds(1, "up")));
    console.log(`Streams that came back, second by second: ${back.join(" ")}; before that in vain: ${away.join(" ")}`);
    expect(all()).toBe(browsers);
    // Each waits for up to five seconds first: evenly spread that is 200.
    expect(most([...away, ...back])).toBeLessThan(0.4 * browsers);
    if (outage === 0) expect(back.length).toBe(5);
  },
);
