import { type Change, type Key, moodOf, type Shown, type Spell, single } from "./change.ts";
import { endsOf } from "./counters.ts";
import { type Device, identityOf, isSafe, type Tab } from "./device.ts";
import type { World } from "./world.ts";

/** For so long after the last one the next change of a key with a merge waits for the disk. */
const pauseMs = 200;

/** What must be true, however a schedule went: the changes that were made, to which session, and which may be gone. */
export class Reference {
  readonly #spells: Spell[] = [];
  readonly #current = new Map<Tab, Spell>();
  readonly #ended = new Map<Device, string>();
  readonly #dead = new Set<string | null>();
  /** The devices have had one session. */
  together = false;
  /** Sessions that a browser knows to have expired: what it adopts of them counts in others. */
  readonly #expired = new Set<string | null>();
  /** Whose tabs may be told of an end without one. */
  readonly #bereft = new Set<Device>();

  changed(tab: Tab, key: Key, name: string, now: number): void {
    const { identifier, changes } = this.#follow(tab);
    const waits =
      key !== "note" && key !== "mood" && now < tab.pausedUntil && tab.page.document.visibilityState === "visible";
    const dueAt = waits ? tab.pausedUntil : now;
    // What waits for nothing takes along what does.
    if (!waits) for (const one of changes) one.dueAt = Math.min(one.dueAt, now);
    tab.pausedUntil = dueAt + pauseMs;
    changes.push({ name, key, early: identifier === null, dueAt, acked: false, stored: false, doubtful: false });
  }

  /** After every step: which session each tab is in by now, and what is safe. */
  observe(world: World): void {
    for (const device of world.devices) {
      // What a tab did without a session may have been in one that it met and lost between two observations.
      if (endsOf(device) !== (this.#ended.get(device) ?? "")) {
        this.#doubt((one) => one.device === device && !one.identifier);
      }
      this.#ended.set(device, endsOf(device));
    }
    for (const tab of world.devices.flatMap(({ tabs }) => tabs)) {
      const { identifier, changes } = this.#follow(tab);
      // Its cookie was lost before it was ever sent: what waits arrives nowhere.
      if (tab.session.status().problem?.code === "NO_COOKIE")
        this.#doubt((one) => one.device === tab.device && one.identifier === identifier);
      for (const change of changes)
        change.stored ||= identifier !== null && isSafe(tab, change.dueAt <= world.time.now);
      if (identifier === null || tab.session.status().pending > 0) continue;
      for (const change of changes) change.acked = true;
    }
  }

  /** Its disk speaks for it from now on, as far as that took things in; which session has what it did without one, nobody knows. */
  killed(tab: Tab, now: number): void {
    const { identifier, changes } = this.#spell(tab);
    if (identifier === null) this.#bereft.add(tab.device);
    // What it did without a session a sibling may have sent to the other one that the browser has for a moment.
    const split = tab.device.tabs.some((each) => identityOf(each) !== identifier);
    const mayGo = (one: Change) =>
      identifier === null || (split && one.early) || !(one.stored || isSafe(tab, one.dueAt <= now));
    for (const one of changes) one.doubtful ||= !one.acked && mayGo(one);
    this.#current.delete(tab);
  }

  /** The device has wiped itself or lost its disk: what it alone held may be gone. */
  wiped = (device: Device): void => {
    this.#bereft.add(device);
    this.#doubt((one) => one.device === device);
  };

  /** The device's app was told that a change of that key is too large for its way. */
  refused = (device: Device, key: string): void => this.#doubt((one) => one.device === device, key);

  /** The server has refused these moods, and says so. Each may have taken the place of earlier ones that were not sent yet. */
  refusedMoods = (names: ReadonlySet<string>): void => {
    for (const { changes } of this.#spells) {
      const moods = changes.filter(({ key }) => key === "mood");
      const last = moods.findLastIndex(({ name }) => names.has(name));
      for (const one of moods.slice(0, last + 1)) one.doubtful = true;
    }
  };

  /** The session has ended. A late first push may begin one of that name anew, which has nothing of it. */
  died = (identifier: string): void => void this.#dead.add(identifier);

  /** The server has forgotten what it knew. */
  wentBack = (): void => this.#lose(() => true);

  /** Holds what a session shows, in a tab or in the store, against the changes that were made; at the end, all of them. */
  check(where: string, identifier: string | null, shown: Shown, atRest: boolean): void {
    const { note, visits = 0, tags = [] } = shown;
    const mood = moodOf(shown.mood);
    const inIt = this.#spells.filter((spell) => spell.identifier === identifier);
    const living = new Set(
      [...this.#current.values()].filter((spell) => inIt.includes(spell)).map((one) => one.device),
    );
    const possible = (key: Key) =>
      this.#named(
        key,
        (one, spell) => one.early || inIt.includes(spell) || (key === "visits" && this.#expired.has(spell.identifier)),
      );
    const certain = (key: Key) =>
      this.#named(key, (one, { device, identifier: its }) =>
        Boolean(its === identifier && !this.#dead.has(its) && !one.doubtful && (one.acked || living.has(device))),
      );
    const [elements, count] = [(tags ?? certain("tags")) as string[], Number(visits)];
    const foreign = (key: Key, names: unknown[]) => names.filter((name) => !possible(key).includes(String(name)));
    const wrong = [
      ...single.flatMap((key) =>
        foreign(
          key,
          [{ note, mood }[key]].filter((name) => name != null),
        ),
      ),
      ...foreign("tags", elements),
    ].map((name) => `shows ${name}, written to another session`);
    if (new Set(elements).size < elements.length) wrong.push(`has an element twice: ${elements}`);
    // Of a session that two devices had, each may bring what it has adopted into the next one that they have.
    const most = possible("visits").length * (this.together ? 2 ** this.#expired.size : 1);
    if (count > most) wrong.push(`counts ${count} of ${most} visits`);
    const lost = atRest ? certain("tags").filter((tag) => !elements.includes(tag)) : [];
    if (lost.length > 0) wrong.push(`has lost ${lost}`);
    const sure = atRest ? certain("visits").length : 0;
    if (count < sure) wrong.push(`counts ${count} of ${sure} certain visits`);
    for (const key of atRest ? single : []) {
      const name = { note, mood }[key];
      const written = certain(key);
      const removed = possible(key).some((one) => one.startsWith("un"));
      if (name === undefined && written.length > 0 && !removed) wrong.push(`has lost ${written}`);
      // Which of two tabs or devices wins, the server decides; of one tab, the last.
      const names = inIt.map(({ changes }) => changes.filter((one) => one.key === key).map((one) => one.name));
      const later = names
        .map((own) => own.slice(own.indexOf(String(name)) + 1))
        .filter((rest, i) => rest.length < (names[i]?.length ?? 0));
      const overtaken = later.flat().filter((one) => written.includes(one));
      if (overtaken.length > 0) wrong.push(`shows ${name} in the place of ${overtaken}`);
    }
    if (wrong.length > 0) throw new Error(`${where} ${wrong.join("; ")}`);
  }

  /** What the tab does in the session that it is in by now. */
  #follow(tab: Tab): Spell {
    const identifier = identityOf(tab);
    const spell = this.#spell(tab);
    const ends = tab.expired.splice(0);
    const ended = ends.length > 0;
    if (ends.some(({ code }) => code === "SESSION_EXPIRED")) this.#expired.add(spell.identifier);
    // Of a frozen or dead tab that had not heard of the others, what is on disk is handed out after a minute.
    const excused = this.#bereft.has(tab.device) || tab.device.tabs.some(({ frozen }) => frozen);
    if (ended && spell.identifier === null && endsOf(tab.device) === "" && !excused) {
      throw new Error("A tab was told of an end, though nothing has ended");
    }
    if (spell.identifier === null && !ended) spell.identifier = identifier;
    else if (spell.identifier !== identifier || ended) this.#end(tab, spell, identifier);
    return this.#spell(tab);
  }

  #end(tab: Tab, { device, identifier: left }: Spell, identifier: string | null): void {
    this.#doubt((one) => one.device === device && one.identifier === left);
    this.#current.delete(tab);
    this.#spell(tab).identifier = identifier;
  }

  #doubt(which: (spell: Spell) => boolean, key?: string): void {
    for (const one of this.#spells.filter(which).flatMap(({ changes }) => changes))
      one.doubtful ||= !one.acked && (key ?? one.key) === one.key;
  }

  #lose(which: (spell: Spell) => boolean): void {
    for (const { changes } of this.#spells.filter(which)) for (const change of changes) change.doubtful = true;
  }

  #named(key: Key, test: (change: Change, spell: Spell) => boolean): string[] {
    return this.#spells.flatMap((spell) =>
      spell.changes.filter((change) => change.key === key && test(change, spell)).map(({ name }) => name),
    );
  }

  #spell(tab: Tab): Spell {
    const spell = this.#current.get(tab) ?? { device: tab.device, identifier: null, changes: [] };
    if (!this.#current.has(tab)) this.#spells.push(spell);
    this.#current.set(tab, spell);
    return spell;
  }
}
