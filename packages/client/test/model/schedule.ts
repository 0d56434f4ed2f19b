import fc from "fast-check";
import { Counters } from "./counters.ts";
import { type Device, identityOf, type Tab } from "./device.ts";
import { Reference } from "./reference.ts";
import { World } from "./world.ts";

/** One step of a schedule. `device`, `tab` and `message` choose among those that there are by then. */
export type Step = {
  readonly device: number;
  readonly tab: number;
} & (
  | { readonly do: "note" | "unnote" | "visit" | "tag" }
  | { readonly do: "open" | "kill" | "hide" | "show" | "freeze" | "thaw" | "sleep" | "awake" | "invalidate" }
  | { readonly do: "deliver" | "deliver twice" | "answer" | "lose"; readonly message: number }
  | { readonly do: "network"; readonly rounds: number }
  | { readonly do: "pass"; readonly seconds: number }
  | { readonly do: "rotate" | "login" | "logout"; readonly lost: boolean }
  | {
      readonly do:
        | "revoke"
        | "share"
        | "meet"
        | "sweep"
        | "forget cookie"
        | "evict"
        | "clear site data"
        | "back up"
        | "restore";
    }
);

const step: fc.Arbitrary<Step> = fc
  .tuple(
    fc.record({ device: fc.nat(1), tab: fc.nat(2) }),
    fc.oneof(
      { weight: 10, arbitrary: fc.record({ do: fc.constantFrom("note", "visit", "visit", "tag", "unnote") }) },
      { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("sleep", "awake", "hide", "show") }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("open", "kill", "freeze", "thaw") }) },
      {
        weight: 10,
        arbitrary: fc.record({
          do: fc.constantFrom("deliver", "deliver twice", "answer", "lose"),
          message: fc.nat(5),
        }),
      },
      { weight: 8, arbitrary: fc.record({ do: fc.constant("network"), rounds: fc.integer({ min: 1, max: 4 }) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant("meet") }) },
      { weight: 4, arbitrary: fc.record({ do: fc.constant("pass"), seconds: fc.constantFrom(1, 1, 5, 61, 3601) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("rotate", "login", "logout"), lost: fc.boolean() }) },
      {
        weight: 3,
        arbitrary: fc.record({
          do: fc.constantFrom(
            "share",
            "share",
            "evict",
            "clear site data",
            "revoke",
            "sweep",
            "forget cookie",
            "back up",
            "restore",
            "invalidate",
          ),
        }),
      },
    ),
  )
  // Each record has the fields of its own kind of step.
  .map(([where, what]) => ({ ...where, ...what }) as Step);

/** Any schedule of up to so many steps: most of them short, for the odd orders, and one in four long, for the odd histories. */
export const schedules = (maxLength: number): fc.Arbitrary<Step[]> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.array(step, { minLength: 1, maxLength }) },
    { weight: 1, arbitrary: fc.array(step, { minLength: 1, maxLength, size: "max" }) },
  );

/** Plays a schedule, lets everything come to rest, and checks the invariants. Throws what is broken. */
export async function play(steps: readonly Step[]): Promise<void> {
  const world = new World();
  const restoreTimers = world.time.install();
  try {
    await new Play(world).run(steps);
  } finally {
    for (const tab of world.devices.flatMap(({ tabs }) => [...tabs])) world.kill(tab);
    restoreTimers();
  }
}

class Play {
  readonly #world: World;
  readonly #reference: Reference = new Reference();
  readonly #counters = new Counters();
  #living: string[] = [];
  #backup = 0;
  #changes = 0;

  constructor(world: World) {
    this.#world = world;
  }

  async run(steps: readonly Step[]): Promise<void> {
    // A day slow, with live streams; a day fast, without.
    this.#world.tab(this.#world.device(-86_400_000, true));
    this.#world.tab(this.#world.device(86_400_000));
    for (const one of steps) {
      await this.#take(one);
      await this.#world.settle();
      await this.#observe();
      this.#checkTabs(false);
    }
    await this.#rest();
    await this.#checkAll();
  }

  async #take(one: Step): Promise<void> {
    const world = this.#world;
    const device = world.devices[one.device % world.devices.length] as Device;
    if (one.do === "open") {
      if (device.tabs.length < 3) this.#wake(world.tab(device));
      return;
    }
    const tab = device.tabs[one.tab % Math.max(1, device.tabs.length)];
    if (tab && (!tab.frozen || one.do === "thaw" || one.do === "kill")) this.#inTab(tab, one.do);
    switch (one.do) {
      case "deliver":
      case "deliver twice":
      case "answer":
      case "lose": {
        const message = world.messages[one.message % Math.max(1, world.messages.length)];
        if (!message) return;
        if (one.do === "lose") world.lose(message);
        else if (one.do !== "answer") await world.deliver(message, one.do === "deliver twice");
        else if (message.answer) world.answer(message);
        return;
      }
      case "network":
        return this.#network(one.rounds);
      case "pass":
        await world.pass(one.seconds * 1000);
        // A first request that is under way for a minute is not known for one any more, and browsers give it up.
        if (one.seconds > 60) for (const message of world.messages.filter(({ first }) => first)) world.lose(message);
        return;
      case "rotate":
      case "login":
      case "logout":
        return world.serve(device, one.do, one.lost);
      case "revoke":
        for (const each of device.tabs) {
          const identifier = identityOf(each);
          if (identifier !== null) await world.sessions.revoke(identifier);
        }
        return;
      case "sweep":
        return void (await world.sessions.sweep());
      case "share":
        // The other device is given this session, as by a ticket.
        for (const other of world.devices) other.cookie = device.cookie;
        return;
      case "meet":
        // What this device has goes home, and the other one opens the same session: whoever is live follows it.
        for (const other of world.devices) {
          if (device.cookie !== "") other.cookie = device.cookie;
          for (const each of other.tabs) if (!each.frozen) this.#wake(each);
          await world.settle();
          await this.#network(3);
        }
        return;
      case "forget cookie":
        device.cookie = "";
        return;
      case "evict":
        // Between two visits, to save room: the cookie outlives it.
        for (const each of [...device.tabs]) this.#inTab(each, "kill");
        this.#clear(device);
        this.#wake(world.tab(device));
        return;
      case "clear site data":
        // Under running tabs, by the user. Before there is a session it would split the browser into two profiles, whose
        // tabs cannot tell which of each other's changes are counted until each has had its answer.
        if (device.tabs.some((each) => identityOf(each) === null)) return;
        this.#clear(device);
        device.cookie = "";
        return;
      case "back up":
        this.#backup = world.taken;
        return;
      case "restore":
        // The server is down for that: no answer of the time before arrives after it.
        for (const message of [...world.messages]) if (message.answer) world.lose(message);
        await world.settle();
        await world.restore(this.#backup);
        this.#reference.wentBack();
        this.#counters.wentBack();
    }
  }

  #clear(device: Device): void {
    device.disk.rows.clear();
    device.marks.clear();
    this.#reference.wiped(device);
    this.#counters.cleared(device);
  }

  #inTab(tab: Tab, what: Step["do"]): void {
    const { session, page } = tab;
    const name = `${what}${++this.#changes}`;
    const fire = (visibility: "visible" | "hidden", target: EventTarget, event: string) => {
      page.document.visibilityState = visibility;
      target.dispatchEvent(new Event(event));
    };
    switch (what) {
      case "note":
        session.setValue("note", name);
        return this.#reference.changed(tab, "note", name);
      case "unnote":
        if (!session.hasValue("note")) return;
        session.delValue("note");
        return this.#reference.changed(tab, "note", name);
      case "visit":
        session.update("visits", (visits) => visits + 1);
        return this.#reference.changed(tab, "visits", name);
      case "tag":
        session.update("tags", (tags) => [...tags, name]);
        return this.#reference.changed(tab, "tags", name);
      case "sleep":
        return void session.sleep().catch(() => undefined);
      case "awake":
        return this.#wake(tab);
      case "invalidate":
        this.#reference.wiped(tab.device);
        return void Promise.resolve(session.invalidate()).catch(() => undefined);
      case "hide":
        fire("hidden", page.window, "pagehide");
        return fire("hidden", page.document, "visibilitychange");
      case "show":
        return fire("visible", page.window, "pageshow");
      case "freeze":
        fire("hidden", page.document, "freeze");
        tab.frozen = true;
        return;
      case "thaw":
        this.#world.thaw(tab);
        return fire("visible", page.document, "resume");
      case "kill":
        this.#reference.killed(tab);
        this.#world.kill(tab);
    }
  }

  #wake({ session }: Tab): void {
    void Promise.resolve(session.awake()).catch(() => undefined);
  }

  /** Requests arrive and are answered, and what they lead to, so many times. */
  async #network(rounds: number): Promise<void> {
    const world = this.#world;
    for (let round = 0; round < rounds && world.messages.length > 0; round++) {
      for (const message of [...world.messages]) {
        // A stream that its tab has left takes its message along.
        if (!world.messages.includes(message)) continue;
        if (!message.answer) await world.deliver(message);
        world.answer(message);
        await world.settle();
        await this.#observe();
      }
    }
  }

  /** Everybody awake and online, dead tabs' outboxes found, nothing under way. */
  async #rest(): Promise<void> {
    const world = this.#world;
    for (const device of world.devices) {
      for (const tab of device.tabs) if (tab.frozen) this.#inTab(tab, "thaw");
      world.tab(device);
    }
    for (let round = 0; round < 4; round++) {
      for (const tab of world.devices.flatMap(({ tabs }) => tabs)) this.#inTab(tab, "show");
      await world.settle();
      await this.#observe();
      for (let i = 0; i < 20 && (world.messages.length > 0 || i === 0); i++) {
        await this.#network(8);
        await world.pass(1000);
        await this.#observe();
      }
    }
  }

  async #observe(): Promise<void> {
    const living = await this.#world.identifiers();
    for (const identifier of this.#living) if (!living.includes(identifier)) this.#reference.died(identifier);
    this.#living = living;
    this.#reference.observe(this.#world);
    this.#counters.observe(this.#world);
  }

  #checkTabs(final: boolean): void {
    for (const [i, tab] of this.#world.devices.flatMap(({ tabs }) => tabs).entries()) {
      this.#reference.check(`Tab ${i}`, identityOf(tab), tab.session.values(), final);
    }
  }

  async #checkAll(): Promise<void> {
    const world = this.#world;
    this.#checkTabs(true);
    for (const tab of world.devices.flatMap(({ tabs }) => tabs)) {
      const identifier = identityOf(tab);
      const stored = identifier === null ? {} : await world.stored(identifier);
      const status = tab.session.status();
      const where = `A tab of the session ${identifier}`;
      if (status.pending > 0) throw new Error(`${where} still waits: ${JSON.stringify(status)}`);
      const shown = tab.session.values();
      if (JSON.stringify(sorted(shown)) !== JSON.stringify(sorted(stored ?? {}))) {
        throw new Error(`${where} shows ${JSON.stringify(shown)}, the store holds ${JSON.stringify(stored)}`);
      }
    }
    for (const identifier of await world.identifiers()) {
      this.#reference.check("The store", identifier, (await world.stored(identifier)) ?? {}, true);
    }
  }
}

const sorted = (values: object) => Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
