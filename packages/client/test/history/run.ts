import { anomalies, type Event } from "./history.ts";
import { Random } from "./random.ts";
import { type Counter, type Elements, type Register, System, type Tab } from "./system.ts";

/** What one run did and found. */
export interface Report {
  readonly wrong: string[];
  readonly events: number;
  readonly requests: number;
  readonly faults: System["faults"];
}

type Draft = Event extends infer E ? (E extends Event ? Omit<E, "client" | "from" | "to"> : never) : never;

/**
 * One seeded run: six tabs of three browsers and four callers of plain procedures, of one session, `operations` each,
 * while requests are lost, doubled, delayed and cut off, tabs crash, and the server is torn down. Then everything heals,
 * everybody reads, and the history is checked.
 */
export async function run(seed: number, operations: number): Promise<Report> {
  const random = new Random(seed);
  const system = new System(random);
  const history = new History();
  await system.start();
  const browsers = [system.browser(), system.browser(), system.browser()];
  const tabs = browsers.flatMap((browser, i) => [0, 1].map((j) => new TabClient(i * 2 + j, browser, history, random)));
  const callers = [6, 7, 8, 9].map((client) => new CallerClient(client, system, history, random));
  try {
    // The session is there, and everybody is in it.
    system.healed = true;
    await system.caller().increment.mutate("c1");
    history.note(-1, { do: "increment", key: "c1" }, history.now(), history.now());
    for (const tab of tabs) await tab.begin();
    system.healed = false;
    const restarts = (async () => {
      for (let i = 0; i < 2; i++) {
        const due = (operations * 10 * (i + 1)) / 3;
        while (history.events.length < due) await new Promise((resolve) => setTimeout(resolve, 5));
        await system.restart();
      }
    })();
    await Promise.all([...tabs, ...callers].map((client) => client.work(operations)));
    await restarts;
    system.healed = true;
    const wrong = await settled(tabs);
    for (const client of [...tabs, ...callers]) await client.readAll();
    return {
      wrong: [...wrong, ...anomalies(history.events), ...uncounted(history.events)],
      events: history.events.length,
      requests: system.requests.count,
      faults: system.faults,
    };
  } finally {
    for (const tab of tabs) tab.close();
    await system.close();
  }
}

/** Everybody sends home what is left, and ends up with nothing pending. */
async function settled(tabs: readonly TabClient[]): Promise<string[]> {
  for (let round = 0; round < 10; round++) {
    for (const tab of tabs) await tab.rest();
    if (tabs.every((tab) => tab.clean)) return [];
  }
  return ["some tab never came to rest"];
}

/** What tabs change is never in doubt once everything has healed: the last counts tell each increment of theirs. */
function uncounted(events: readonly Event[]): string[] {
  return (["c0", "c1"] as const).flatMap((key) => {
    const own = events.filter((event) => event.key === key);
    const last = own.findLast((event) => event.do === "count");
    const increments = own.filter((event) => event.do === "increment");
    const sure = increments.filter(({ client, to }) => client < 6 || to < Number.POSITIVE_INFINITY).length;
    if (last?.do !== "count" || last.value >= sure) return [];
    return [`${key}: ends at ${last.value}, though ${sure} increments were sure`];
  });
}

/** All events, by one clock that ticks at each call and each answer. */
class History {
  readonly events: Event[] = [];
  #now = 0;

  now(): number {
    return ++this.#now;
  }

  /** Gives the event's place, for `answer`. */
  note(client: number, draft: Draft, from: number, to: number): number {
    return this.events.push({ ...draft, client, from, to } as Event) - 1;
  }

  answer(place: number): void {
    this.events[place] = { ...(this.events[place] as Event), to: this.now() };
  }
}

const registers: readonly Register[] = ["r0", "r1", "r2"];
const counters: readonly Counter[] = ["c0", "c1"];
const sets: readonly Elements[] = ["s0", "s1"];

class TabClient {
  readonly #client: number;
  readonly #browser: { tab(): Tab };
  readonly #history: History;
  readonly #random: Random;
  #tab: Tab;
  /** Places of events that are not acknowledged. */
  #open: number[] = [];
  #count = 0;

  constructor(client: number, browser: { tab(): Tab }, history: History, random: Random) {
    this.#client = client;
    this.#browser = browser;
    this.#history = history;
    this.#random = random;
    this.#tab = browser.tab();
  }

  get clean(): boolean {
    return this.#tab.session.status().pending === 0;
  }

  async begin(): Promise<void> {
    await this.#tab.session.awake();
  }

  async work(operations: number): Promise<void> {
    const random = this.#random;
    for (let i = 0; i < operations; i++) {
      const what = random.next();
      if (what < 0.3) this.#write(registers[random.below(3)] as Register);
      else if (what < 0.6) this.#increment(counters[random.below(2)] as Counter);
      else if (what < 0.68) this.#add(sets[random.below(2)] as Elements);
      else if (what < 0.78) await this.#sleep();
      else if (what < 0.88) await this.readAll();
      else if (what < 0.885) await this.#crash();
      else await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #write(key: Register): void {
    const value = `${this.#client}:${++this.#count}`;
    this.#note({ do: "write", key, value });
    this.#tab.session.setValue(key, value);
  }

  #increment(key: Counter): void {
    this.#note({ do: "increment", key });
    this.#tab.session.update(key, (count) => count + 1);
  }

  #add(key: Elements): void {
    const element = `${this.#client}:${++this.#count}`;
    this.#note({ do: "add", key, element });
    this.#tab.session.update(key, (all) => [...all, element]);
  }

  #note(draft: Draft): void {
    this.#open.push(this.#history.note(this.#client, draft, this.#history.now(), Number.POSITIVE_INFINITY));
  }

  async #sleep(): Promise<void> {
    const sent = this.#open;
    this.#open = [];
    try {
      await this.#tab.session.sleep();
      for (const place of sent) this.#history.answer(place);
    } catch {
      this.#open.unshift(...sent);
    }
  }

  /** Its process dies; another page of the browser opens. What it did is on disk, and acknowledged to nobody. */
  async #crash(): Promise<void> {
    // A change is safe when its transaction has begun, which is at the end of the task that made it.
    await new Promise((resolve) => setImmediate(resolve));
    this.#tab.kill();
    this.#open = [];
    this.#tab = this.#browser.tab();
    await this.#tab.session.awake();
  }

  async rest(): Promise<void> {
    await this.#sleep();
    await this.#tab.session.awake();
  }

  /** Asks the server, and reads what is nobody's optimism. */
  async readAll(): Promise<void> {
    const { session } = this.#tab;
    // A round that is under way may have left before this moment.
    while (session.status().state === "syncing") await new Promise((resolve) => setImmediate(resolve));
    const from = this.#history.now();
    await session.awake();
    if (session.status().state !== "synced") return;
    const note = (draft: Draft) => this.#history.note(this.#client, draft, from, this.#history.now());
    for (const key of registers) note({ do: "read", key, value: session.hasValue(key) ? session.value(key) : null });
    for (const key of counters) note({ do: "count", key, value: session.value(key) });
    for (const key of sets) note({ do: "elements", key, elements: session.value(key) });
  }

  close(): void {
    this.#tab.kill();
  }
}

/** Calls plain procedures, several at a time, as a batching link sends them. */
class CallerClient {
  readonly #client: number;
  readonly #trpc: ReturnType<System["caller"]>;
  readonly #history: History;
  readonly #random: Random;
  #count = 0;

  constructor(client: number, system: System, history: History, random: Random) {
    this.#client = client;
    this.#trpc = system.caller();
    this.#history = history;
    this.#random = random;
  }

  async work(operations: number): Promise<void> {
    for (let done = 0; done < operations; ) {
      const batch = Math.min(operations - done, 1 + this.#random.below(10));
      done += batch;
      // One kind for all of a batch: queries and mutations do not travel together.
      if (this.#random.next() < 0.2) await this.readAll();
      else await Promise.all(Array.from({ length: batch }, () => this.#change()));
    }
  }

  async #change(): Promise<void> {
    const random = this.#random;
    const mark = `${this.#client}:${++this.#count}`;
    const [key, counter, set] = [registers[random.below(3)], counters[random.below(2)], sets[random.below(2)]];
    const what = random.next();
    if (what < 0.4 && key) {
      await this.#try({ do: "write", key, value: mark }, () => this.#trpc.write.mutate({ key, value: mark }));
    } else if (what < 0.85 && counter) {
      await this.#try({ do: "increment", key: counter }, () => this.#trpc.increment.mutate(counter));
    } else if (set) {
      await this.#try({ do: "add", key: set, element: mark }, () => this.#trpc.add.mutate({ key: set, element: mark }));
    }
  }

  async #try(draft: Draft, call: () => Promise<unknown>): Promise<void> {
    const place = this.#history.note(this.#client, draft, this.#history.now(), Number.POSITIVE_INFINITY);
    const done = await call().then(
      () => true,
      () => false,
    );
    if (done) this.#history.answer(place);
  }

  async readAll(): Promise<void> {
    const from = this.#history.now();
    const values = await this.#trpc.session.values.query().catch(() => null);
    if (!values) return;
    const note = (draft: Draft) => this.#history.note(this.#client, draft, from, this.#history.now());
    for (const key of registers) note({ do: "read", key, value: values[key] ?? null });
    for (const key of counters) note({ do: "count", key, value: values[key] ?? 0 });
    for (const key of sets) note({ do: "elements", key, elements: values[key] ?? [] });
  }
}
