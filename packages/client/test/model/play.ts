import { checkAll, checkTabs } from "./checks.ts";
import { type Device, epochOf, identityOf, ownOf, setCookie, type Tab } from "./device.ts";
import { Rest } from "./rest.ts";
import type { Step } from "./schedule.ts";
import { Tally } from "./tally.ts";
import { User } from "./user.ts";
import { Watch } from "./watch.ts";
import { Ways } from "./ways.ts";
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

/** As often as a screen shows another picture, in whole milliseconds, as clocks count. */
const frameMs = 16;

class Play {
  readonly #world: World;
  readonly #watch: Watch;
  readonly #user: User;
  readonly #rest: Rest;
  readonly #ways: Ways;
  #backup = 0;

  constructor(world: World) {
    this.#world = world;
    this.#watch = new Watch(world);
    this.#user = new User(world, this.#watch.reference, this.#watch.counters);
    this.#rest = new Rest(world, this.#watch, this.#user);
    this.#ways = new Ways(world, this.#user);
  }

  async run(steps: readonly Step[]): Promise<void> {
    // A day slow, with live streams; a day fast, without.
    this.#world.tab(this.#world.device(-86_400_000, true));
    this.#world.tab(this.#world.device(86_400_000));
    for (const one of steps) {
      await this.#take(one);
      await this.#world.settle();
      await this.#watch.observe();
      checkTabs(this.#world, this.#watch.reference, false);
    }
    if (this.#ways.retryAfterMs !== undefined) await this.#rest.untouched(this.#ways.retryAfterMs);
    await this.#rest.touched();
    await checkAll(this.#world, this.#watch.reference);
    this.#watch.notes.check(this.#world);
    await this.#rest.checkWithoutCookies();
    await this.#rest.checkLive();
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
      case "hang":
      case "gateway":
      case "limit":
        return this.#ways.take(one, tab);
      case "render":
        device.rendered = await world.render(device);
        return;
      case "load": {
        if (device.tabs.length > 2) return;
        const { rendered } = device;
        const snapshot = one.late && rendered ? rendered : await world.render(device);
        world.reached.add(`a page rendered ${snapshot === rendered ? "long before it is opened" : "by the server"}`);
        device.rendered = snapshot;
        const opened = world.tab(device);
        opened.session.hydrate(snapshot);
        this.#user.act(opened, "awake");
        return;
      }
      case "navigate":
        if (tab && !tab.frozen && device.rendered) tab.session.hydrate(device.rendered);
        return;
      case "drag":
        if (tab && !tab.frozen) return this.#drag(tab, one.key, one.frames);
        return;
      case "refuse cookies":
        device.keeps = false;
        device.cookie = "";
        return;
      case "close":
        if (one.lost) for (const each of world.messages.filter((message) => message.tab === tab)) world.lose(each);
        return;
      case "network":
        return this.#watch.network(one.rounds);
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
        this.#watch.reference.together = true;
        for (const other of world.devices) setCookie(other, device.cookie);
        return;
      case "meet":
        this.#watch.reference.together = true;
        // What this device has goes home, and the other one opens the same session: whoever is live follows it.
        for (const other of world.devices) {
          if (device.cookie !== "") setCookie(other, device.cookie);
          this.#everyTab(other, "awake");
          await world.settle();
          await this.#watch.network(3);
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
        if (device.tabs.some(({ session }) => session.status().pending > 0)) this.#watch.counters.lost(device);
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
      case "deploy":
        return world.deploy(one.version, one.rolling);
      case "back up":
        this.#backup = world.taken;
        return;
      case "restore":
        // The server is down for that: no answer of the time before arrives after it.
        for (const message of [...world.messages]) if (message.answer) world.lose(message);
        await world.settle();
        await world.restore(this.#backup);
        this.#watch.wentBack();
    }
  }

  /** Writes at 60 Hz. Few of them become changes of their own. */
  async #drag(tab: Tab, key: "visit" | "tag", frames: number): Promise<void> {
    const before = ownOf(tab);
    for (let frame = 0; frame < frames; frame++) {
      this.#user.act(tab, key);
      await this.#world.settle();
      await this.#world.pass(frameMs);
    }
    this.#world.reached.add("a drag");
    // The first goes at once, and what a sibling has written meanwhile nothing is joined with.
    const most = before + 4 + (frames * frameMs) / 200;
    if (tab.page.document.visibilityState === "visible" && ownOf(tab) > most) {
      throw new Error(`A drag of ${frames} frames waits as ${ownOf(tab)} changes`);
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
    // The cache goes with it: what was rendered before could not be known to have ended since.
    delete device.rendered;
    this.#watch.cleared(device);
  }
}
