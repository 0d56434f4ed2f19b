import type { SessionSnapshot } from "@catnap/shared";
import { createSessionClient, type Expired } from "../../src/index.ts";
import { SimulatedChannels } from "./channels.ts";
import { type Device, definitions, type Message, reach, setCookie, type Tab, type Version } from "./device.ts";
import { SimulatedDisk } from "./disk.ts";
import { SimulatedLocks } from "./locks.ts";
import { SimulatedMarks } from "./marks.ts";
import { SimulatedServer } from "./server.ts";
import type { SimulatedStream } from "./stream.ts";
import type { Trouble } from "./tally.ts";
import { SimulatedTime } from "./time.ts";
import { type Seat, Wire } from "./wire.ts";

/**
 * The real client and the real server on a simulated machine: no real time, no real network, no real disk. Everything
 * that a tab causes waits in a queue until `settle` or the schedule lets it happen, so that a schedule is the same one
 * each time that it is played.
 */
export class World {
  readonly time: SimulatedTime = new SimulatedTime();
  readonly devices: Device[] = [];
  readonly reached: Set<Trouble> = new Set();
  /** The server has put another cookie in the place of a living one. */
  rotated = false;
  readonly #ready: (() => void)[] = [];
  /** What happens when nothing else does: a browser's localStorage may be slower than its disk and its channels. */
  readonly #late: (() => void)[] = [];
  readonly #server = new SimulatedServer(() => this.time.now);
  readonly #random: () => number;
  readonly wire: Wire = new Wire(this.#server, this.reached);
  #ids = 0;

  /** `random` is the tabs', for their retries; by default each waits for as long as it may. */
  constructor(random: () => number = () => 1) {
    this.#random = random;
  }

  /** What is on its way. */
  get messages(): Message[] {
    return this.wire.messages;
  }

  /** The live streams that are open, of one device or of all. */
  streams(device?: Device): SimulatedStream[] {
    return this.wire.streams(device);
  }

  get sessions(): SimulatedServer["sessions"] {
    return this.#server.sessions;
  }

  device(skew: number, live = false): Device {
    const defer = (task: () => void) => void this.#ready.push(task);
    const device: Device = {
      cookie: "",
      keeps: true,
      disk: new SimulatedDisk(defer, (health) => this.reached.add(`a ${health} disk`)),
      marks: new SimulatedMarks((task) => void this.#late.push(task)),
      channels: new SimulatedChannels(defer),
      locks: new SimulatedLocks(defer, (name, from) => {
        if (name.endsWith(":live"))
          this.reached.add(`a stream taken over from a ${from?.alive ? "hidden" : "killed"} tab`);
      }),
      tabs: [],
      told: 0,
      refused: [],
      giveUp: false,
      owed: new Map(),
      skew,
      live,
    };
    this.devices.push(device);
    return device;
  }

  tab(device: Device): Tab {
    const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
    const page = { window: new EventTarget(), document };
    const expired: Expired[] = [];
    // A page is what the server of that time gives out.
    const { version } = this.#server;
    const seat: Seat = {};
    const whenThere = (task: () => void) => {
      const { tab } = seat;
      if (tab) reach(tab, task);
    };
    const session = createSessionClient({
      definition: definitions[version],
      http: this.wire.http(seat),
      live: device.live,
      // Longer than any schedule: what waits is never given up.
      unknownFor: 1e8,
      onExpired: (event) => expired.push(event),
      onConflict: ({ key, what, code }) => {
        device.told++;
        if (what !== "rejected" || code !== "LIMIT_EXCEEDED") return;
        device.refused.push(key);
        this.reached.add("a change too large for any request, told");
      },
      surroundings: {
        now: () => this.time.now + device.skew,
        random: this.#random,
        id: (bytes) => String(++this.#ids).padStart(Math.ceil((bytes * 4) / 3), "i"),
        indexedDB: device.disk.factory(() => seat.tab?.alive === true),
        localStorage: device.marks.open(
          () => seat.tab?.alive !== false,
          () => whenThere(() => page.window.dispatchEvent(new Event("storage"))),
        ),
        channel: () => device.channels.open(whenThere, () => seat.tab?.alive === true),
        locks: device.locks.manager(() => seat.tab, whenThere),
        page,
      },
    });
    const tab: Tab = {
      device,
      session,
      page,
      expired,
      version,
      owed: device.owed,
      alive: true,
      frozen: false,
      left: false,
      pausedUntil: 0,
      held: [],
    };
    seat.tab = tab;
    device.tabs.push(tab);
    return tab;
  }

  /** The process of the tab ends: what it had not begun by now never happens. */
  kill(tab: Tab): void {
    tab.alive = false;
    tab.device.tabs.splice(tab.device.tabs.indexOf(tab), 1);
    tab.device.locks.release(tab);
    this.wire.leave(tab);
    // Whatever else closing does comes to nothing, since a dead tab's disk and network are cut.
    tab.session.close();
  }

  /** Lets everything happen that needs neither time nor network. */
  async settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#ready.length === 0) this.#ready.push(...this.#late.splice(0));
    while (this.#ready.length > 0) {
      for (let task = this.#ready.shift(); task; task = this.#ready.shift()) task();
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#ready.length === 0) this.#ready.push(...this.#late.splice(0));
    }
  }

  /** Lets so much time pass, timer by timer. */
  async pass(ms: number): Promise<void> {
    const end = this.time.now + ms;
    for (let next = this.time.next; next !== undefined && next <= end; next = this.time.next) {
      this.time.now = Math.max(this.time.now, next);
      this.time.fire();
      await this.settle();
    }
    this.time.now = end;
    await this.settle();
  }

  /** The request arrives; `again`: and will arrive once more. */
  async deliver(message: Message, again = false): Promise<void> {
    await message.handle();
    if (again) delete message.answer;
  }

  /** The answer arrives. */
  answer(message: Message): void {
    this.messages.splice(this.messages.indexOf(message), 1);
    const { tab, answer } = message;
    for (const cookie of answer?.cookies ?? []) setCookie(tab.device, cookie);
    reach(tab, () => answer?.settle());
  }

  /** Request or answer is lost. */
  lose(message: Message): void {
    this.messages.splice(this.messages.indexOf(message), 1);
    reach(message.tab, () => message.fail());
  }

  thaw(tab: Tab): void {
    tab.frozen = false;
    for (const task of tab.held.splice(0)) task();
  }

  /** Something that the server does for the owner of a cookie, such as a login; the device hears of its cookies unless they are `lost`. */
  async serve(device: Device, act: "rotate" | "login" | "logout", lost = false): Promise<void> {
    const { cookies } = await this.#server.call(device.cookie, (caller) => caller[act]());
    this.rotated ||= cookies.length > 0;
    if (!lost) for (const cookie of cookies) setCookie(device, cookie);
  }

  /** The server renders a page for the owner of the cookie. */
  render({ cookie }: Device): Promise<SessionSnapshot> {
    return this.sessions.wake({ headers: new Headers(cookie === "" ? {} : { cookie }) }).snapshot();
  }

  /** What tabs, disks and the store have come to: the same text as long as nothing changes. */
  picture(): string {
    const tabs = ({ session }: Tab) => [session.status().state, session.status().pending, session.values()];
    return JSON.stringify([
      this.taken,
      this.devices.map((device) => [device.cookie, [...device.disk.rows], device.tabs.map(tabs)]),
    ]);
  }

  /** How many steps the store has taken. */
  get taken(): number {
    return this.#server.store.taken;
  }

  /** The store is as it was after so many steps, and its server another process. */
  async restore(taken: number): Promise<void> {
    this.#cut();
    await this.#server.store.rewind(taken);
  }

  /** The server's processes are of this version from now on; `rolling`: and those before answer for a while, too. */
  async deploy(version: Version, rolling: boolean): Promise<void> {
    if (rolling && version !== this.#server.version) this.reached.add("processes of two versions at once");
    await this.#server.deploy(version, rolling);
  }

  /** The server closes, and another process takes its place. Streams come to their end, and whoever asks meets the new one. */
  restart(): Promise<void> {
    if (this.streams().length > 0) this.reached.add("a stream ended by a restart");
    return this.#server.close();
  }

  /**
   * The server gets all requests that are on their way, at once, and dies when it has called its store so many times; another
   * process takes its place. What it has answered by then arrives, or is lost, whatever was committed.
   */
  async crash(calls: number, lost: boolean): Promise<void> {
    const life = this.#server.condemn(calls);
    for (const message of this.messages) if (!message.answer) void message.handle();
    await this.settle();
    if (life.missed.has("write")) this.reached.add("a crash before a commit");
    if (life.written > 0) this.reached.add(`a crash after a commit, its answer ${lost ? "lost" : "on its way"}`);
    if (this.streams().length > 0) this.reached.add("a stream broken by a crash");
    this.#cut();
    for (const message of [...this.messages]) if (lost || !message.answer) this.lose(message);
  }

  #cut(): void {
    this.#server.replace();
    this.wire.cut();
  }

  identifiers(): Promise<string[]> {
    return this.#server.identifiers();
  }

  /** What the store holds of a session, decoded; `null`: nothing. */
  stored(identifier: string): Promise<Record<string, unknown> | null> {
    return this.#server.stored(identifier);
  }
}
