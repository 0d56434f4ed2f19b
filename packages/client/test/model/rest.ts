import { type Device, identityOf, ownOf, type Tab, waits } from "./device.ts";
import type { User } from "./user.ts";
import type { Watch } from "./watch.ts";
import type { World } from "./world.ts";

/** A request has 10 s and a little, the next try comes after a minute at the latest, and others may be before it in their turn. */
const patienceMs = 150_000;

/** How a schedule ends: its troubles are over, and all comes to rest. */
export class Rest {
  readonly #world: World;
  readonly #watch: Watch;
  readonly #user: User;

  constructor(world: World, watch: Watch, user: User) {
    this.#world = world;
    this.#watch = watch;
    this.#user = user;
  }

  /**
   * Nobody touches a page, and requests arrive again: what an open page waits for gets home by itself, in time. But a frozen
   * one may hold the turn of all.
   * `retryAfterMs`: for so long a gateway has sent somebody away, which counts for an hour at most.
   */
  async untouched(retryAfterMs: number): Promise<void> {
    const world = this.#world;
    await world.deploy("newer", false);
    this.#thaw();
    const end = world.time.now + patienceMs + Math.min(retryAfterMs, 3_600_000);
    const waiting = () => world.devices.flatMap(({ tabs }) => tabs.filter(waits));
    const left = () => waiting().reduce((sum, tab) => sum + ownOf(tab), 0);
    for (let ms = 1000; waiting().length > 0; ) {
      if (world.time.now > end) throw new Error(`A page waits: ${JSON.stringify(waiting()[0]?.session.status())}`);
      const before = left();
      await world.pass(ms);
      await this.#watch.network(8);
      await this.#watch.observe();
      // What went in part follows at once.
      ms = left() < before ? 1000 : Math.min(2 * ms, 30_000);
    }
  }

  /** Everybody awake and online, all disks well, dead tabs' outboxes found, nothing under way. */
  async touched(): Promise<void> {
    const world = this.#world;
    await world.deploy("newer", false);
    this.#thaw();
    for (const device of world.devices) {
      device.disk.become("fine");
      world.tab(device);
    }
    // Everything comes to rest within four rounds, and one that changes nothing is the last.
    for (let round = 0, before = ""; round < 4; round++) {
      const now = world.picture();
      if (now === before) return;
      before = now;
      for (const tab of world.devices.flatMap(({ tabs }) => tabs)) this.#user.act(tab, "show");
      await world.settle();
      await this.#watch.observe();
      for (let i = 0; i < 20 && (world.messages.length > 0 || i === 0); i++) {
        await this.#watch.network(8);
        await world.pass(1000);
        await this.#watch.observe();
      }
    }
  }

  /** A browser that keeps no cookie makes no more sessions, forgets nothing more, and asks less and less often. */
  async checkWithoutCookies(): Promise<void> {
    const world = this.#world;
    for (const device of world.devices.filter(({ keeps }) => !keeps)) {
      // Each page may begin a session, once.
      for (const tab of device.tabs) {
        this.#visit(tab);
        await world.settle();
        await this.#watch.network(6);
      }
      const sessions = await world.identifiers();
      const before = device.tabs.map(shown);
      const from = world.wire.sent;
      for (const tab of device.tabs) this.#visit(tab);
      for (let i = 0; i < 6; i++) {
        await world.pass(5_000);
        await this.#watch.network(4);
        await this.#watch.observe();
      }
      const begun = (await world.identifiers()).filter((one) => !sessions.includes(one));
      const after = device.tabs.map(shown);
      const lost = after.some((tab, i) => tab.identifier !== before[i]?.identifier || tab.visits <= before[i].visits);
      if (begun.length > 0 || lost) {
        throw new Error(`A browser without cookies begins anew again and again: ${JSON.stringify([before, after])}`);
      }
      const most = 7 * world.devices.flatMap(({ tabs }) => tabs).length;
      const sent = world.wire.sent - from;
      if (sent > most)
        throw new Error(`Browsers of which one has no cookies have sent ${sent} requests in half a minute`);
    }
  }

  /** What another device writes comes over the stream that one tab of a live browser has, and shows in all of them. */
  async checkLive(): Promise<void> {
    const world = this.#world;
    const [desk, phone] = world.devices as [Device, Device];
    const writer = phone.tabs.at(-1) as Tab;
    const session = identityOf(writer);
    const together =
      desk.cookie === phone.cookie && desk.cookie !== "" && desk.tabs.every((tab) => identityOf(tab) === session);
    // A token that was rotated opens no stream, and the two share theirs: a late request of the one may have replaced it.
    if (session === null || !together || world.rotated) return;
    if ([...desk.tabs, writer].some(({ version }) => version === "older")) return;
    // As long as a broken stream may wait for its next try.
    await world.pass(61_000);
    await this.#watch.network(4);
    const { length } = world.streams(desk);
    if (length !== 1) throw new Error(`A live browser of ${desk.tabs.length} tabs has ${length} streams`);
    this.#user.act(writer, "tag");
    this.#user.act(writer, "sleep");
    await world.settle();
    await this.#watch.network(4);
    world.reached.add("news of another device, shown in all tabs");
    const lacking = desk.tabs.filter(
      (tab) => String(tab.session.values().tags) !== String(writer.session.values().tags),
    );
    if (lacking.length > 0) throw new Error(`${lacking.length} of ${desk.tabs.length} tabs show no live news`);
  }

  #visit(tab: Tab): void {
    this.#user.act(tab, "visit");
    this.#user.act(tab, "sleep");
  }

  #thaw(): void {
    for (const tab of this.#world.devices.flatMap(({ tabs }) => tabs)) if (tab.frozen) this.#user.act(tab, "thaw");
  }
}

const shown = (tab: Tab) => ({ identifier: identityOf(tab), visits: tab.session.value("visits") });
