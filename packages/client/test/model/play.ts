import { checkAll, checkTabs } from "./checks.ts";
import { Counters } from "./counters.ts";
import { type Device, epochOf, identityOf, type Tab } from "./device.ts";
import { Notes } from "./notes.ts";
import { Reference } from "./reference.ts";
import type { Step } from "./schedule.ts";
import { Tally } from "./tally.ts";
import { User } from "./user.ts";
import { World } from "./world.ts";

/** Plays a schedule, lets everything come to rest, and checks the invariants. Throws what is broken. `tally` is told what it came to. */
export async function play(steps: readonly Step[], tally: Tally = new Tally()): Promise<void> {
  const world = new World();
  const restoreTimers = world.time.install();
  // A hundred thousand schedules have much to warn of, and nobody reads it.
  const { warn } = console;
  console.warn = () => undefined;
  try {
    await new Play(world).run(steps);
    tally.add(world.reached);
  } finally {
    for (const tab of world.devices.flatMap(({ tabs }) => [...tabs])) world.kill(tab);
    restoreTimers();
    console.warn = warn;
  }
}

class Play {
  readonly #world: World;
  readonly #reference: Reference = new Reference();
  readonly #counters = new Counters();
  readonly #notes = new Notes();
  #living: string[] = [];
  readonly #user: User;
  #backup = 0;

  constructor(world: World) {
    this.#world = world;
    this.#user = new User(world, this.#reference, this.#counters);
  }

  async run(steps: readonly Step[]): Promise<void> {
    // A day slow, with live streams; a day fast, without.
    this.#world.tab(this.#world.device(-86_400_000, true));
    this.#world.tab(this.#world.device(86_400_000));
    for (const one of steps) {
      await this.#take(one);
      await this.#world.settle();
      await this.#observe();
      checkTabs(this.#world, this.#reference, false);
    }
    await this.#rest();
    await checkAll(this.#world, this.#reference);
    this.#notes.check(this.#world);
    await this.#checkLive();
  }

  async #take(one: Step): Promise<void> {
    const world = this.#world;
    const device = world.devices[one.device % world.devices.length] as Device;
    if (one.do === "open") {
      if (device.tabs.length < 3) this.#user.act(world.tab(device), "awake");
      return;
    }
    const tab = device.tabs[one.tab % Math.max(1, device.tabs.length)];
    if (tab && (!tab.frozen || one.do === "thaw" || one.do === "kill")) this.#user.act(tab, one.do);
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
      case "close":
        if (one.lost) for (const each of world.messages.filter((message) => message.tab === tab)) world.lose(each);
        return;
      case "network":
        return this.#network(one.rounds);
      case "pass":
        if (one.seconds > 60) {
          // A first request that is under way for a minute is not known for one any more, and clients give it up before.
          await world.pass(50_000);
          for (const message of world.messages.filter(({ first }) => first)) world.lose(message);
        }
        return world.pass(one.seconds * 1000 - (one.seconds > 60 ? 50_000 : 0));
      case "rotate":
      case "login":
      case "logout":
        return world.serve(device, one.do, one.lost);
      case "rush":
        // Before anybody hears of the others.
        while (device.tabs.length < 3) this.#user.act(world.tab(device), "awake");
        if (epochOf(device) === undefined) world.reached.add("tabs that begin in one moment");
        this.#everyTab(device, "visit");
        this.#everyTab(device, "sleep");
        return;
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
          this.#everyTab(other, "awake");
          await world.settle();
          await this.#network(3);
        }
        return;
      case "forget cookie":
        device.cookie = "";
        return;
      case "evict":
        // Between two visits, to save room: the cookie outlives it.
        for (const each of [...device.tabs]) this.#user.act(each, "kill");
        await this.#clear(device);
        this.#user.act(world.tab(device), "awake");
        return;
      case "clear site data":
        // Under running tabs, by the user. What they had not sent lives on in their memory, unless a sibling passes it over.
        if (device.tabs.some(({ session }) => session.status().pending > 0)) this.#counters.lost(device);
        await this.#clear(device);
        device.cookie = "";
        return;
      case "disk":
        device.disk.become(one.health);
        if (one.writing) this.#everyTab(device, "visit");
        return;
      case "crash":
        if (one.sending) {
          this.#everyTab(device, "visit");
          this.#everyTab(device, "sleep");
          await world.settle();
        }
        return world.crash(one.calls, one.lost);
      case "restart":
        return world.restart();
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
        this.#notes.wentBack(world);
    }
  }

  #everyTab({ tabs }: Device, what: Step["do"]): void {
    for (const tab of tabs) if (!tab.frozen) this.#user.act(tab, what);
  }

  async #clear(device: Device): Promise<void> {
    // A disk that can be cleared works, and there is room again.
    device.disk.become("fine");
    await this.#world.settle();
    device.disk.rows.clear();
    device.marks.clear();
    this.#notes.forgot(device);
    this.#reference.wiped(device);
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

  /** Everybody awake and online, all disks well, dead tabs' outboxes found, nothing under way. */
  async #rest(): Promise<void> {
    const world = this.#world;
    for (const device of world.devices) {
      device.disk.become("fine");
      for (const tab of device.tabs) if (tab.frozen) this.#user.act(tab, "thaw");
      world.tab(device);
    }
    // Everything comes to rest within four rounds, and one that changes nothing is the last.
    for (let round = 0, before = ""; round < 4; round++) {
      const now = world.picture();
      if (now === before) return;
      before = now;
      for (const tab of world.devices.flatMap(({ tabs }) => tabs)) this.#user.act(tab, "show");
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
    for (const identifier of this.#living.filter((one) => !living.includes(one))) {
      this.#reference.died(identifier);
      this.#counters.died(identifier);
    }
    this.#living = living;
    this.#reference.observe(this.#world);
    this.#counters.observe(this.#world);
    this.#notes.observe(this.#world);
  }

  /** What another device writes comes over the stream that one tab of a live browser has, and shows in all of them. */
  async #checkLive(): Promise<void> {
    const world = this.#world;
    const [desk, phone] = world.devices as [Device, Device];
    const writer = phone.tabs.at(-1) as Tab;
    const session = identityOf(writer);
    const together = desk.cookie === phone.cookie && desk.tabs.every((tab) => identityOf(tab) === session);
    // A token that was rotated opens no stream, and the two share theirs: a late request of the one may have replaced it.
    if (session === null || !together || world.rotated) return;
    // As long as a broken stream may wait for its next try.
    await world.pass(61_000);
    await this.#network(4);
    const { length } = world.streams(desk);
    if (length !== 1) throw new Error(`A live browser of ${desk.tabs.length} tabs has ${length} streams`);
    this.#user.act(writer, "tag");
    this.#user.act(writer, "sleep");
    await world.settle();
    await this.#network(4);
    world.reached.add("news of another device, shown in all tabs");
    const lacking = desk.tabs.filter(
      (tab) => String(tab.session.values().tags) !== String(writer.session.values().tags),
    );
    if (lacking.length > 0) throw new Error(`${lacking.length} of ${desk.tabs.length} tabs show no live news`);
  }
}
