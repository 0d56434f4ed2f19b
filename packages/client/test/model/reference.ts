import { type Device, identityOf, type Tab, type World } from "./world.ts";

/** One change that a tab has made, under a name of its own. */
interface Change {
  readonly name: string;
  readonly key: "note" | "visits" | "tags";
  /** Made when the tab knew of no session: it belongs to whichever its push makes or meets. */
  readonly early: boolean;
  /** The server has acknowledged it. */
  acked: boolean;
  /** Something has happened that may rightly have cost it: its disk, its session, or the server's memory was lost. */
  doubtful: boolean;
}

/** What one tab did while it knew of one session, or of none yet. */
interface Spell {
  readonly device: Device;
  identifier: string | null;
  readonly changes: Change[];
}

type Shown = { readonly note?: unknown; readonly visits?: unknown; readonly tags?: unknown };

/** What must be true, however a schedule went: the changes that were made, to which session, and which may be gone. */
export class Reference {
  readonly #spells: Spell[] = [];
  readonly #current = new Map<Tab, Spell>();
  readonly #counted = new Map<Tab, number>();

  changed(tab: Tab, key: Change["key"], name: string): void {
    const { identifier, changes } = this.#spell(tab);
    changes.push({ name, key, early: identifier === null, acked: false, doubtful: false });
  }

  /** After every step: which session each tab is in by now, and what is safe. */
  observe(world: World): void {
    for (const tab of world.devices.flatMap(({ tabs }) => tabs)) {
      const identifier = identityOf(tab);
      const ended = tab.expired.splice(0).length > 0;
      const spell = this.#spell(tab);
      if (spell.identifier === null && !ended) spell.identifier = identifier;
      else if (spell.identifier !== identifier || ended) this.#end(tab, identifier);
      if (identifier === null) continue;
      if (tab.session.status().pending === 0) for (const change of this.#spell(tab).changes) change.acked = true;
      // A counter that only rises never falls on screen, whatever arrives in whatever order.
      const visits = tab.session.value("visits");
      const before = this.#counted.get(tab) ?? 0;
      if (visits < before) throw new Error(`A tab has shown ${before} visits, and now shows ${visits}`);
      this.#counted.set(tab, visits);
    }
  }

  /** Its disk speaks for it from now on; which session takes in what it did without one, nobody knows. */
  killed(tab: Tab): void {
    const spell = this.#spell(tab);
    if (spell.identifier === null) this.#doubt([spell]);
    this.#current.delete(tab);
    this.#counted.delete(tab);
  }

  /** The device has wiped itself or lost its disk: what it alone held may be gone. */
  wiped(device: Device): void {
    this.#doubt(this.#spells.filter((spell) => spell.device === device));
  }

  /** The server has forgotten what it knew. */
  wentBack(): void {
    for (const { changes } of this.#spells) for (const change of changes) change.doubtful = true;
    this.#counted.clear();
  }

  /** Holds what a session shows, in a tab or in the store, against the changes that were made; at the end, all of them. */
  check(where: string, identifier: string | null, { note, visits, tags = [] }: Shown, atRest: boolean): void {
    const inIt = this.#spells.filter((spell) => spell.identifier === identifier);
    const names = (key: Change["key"]) =>
      this.#spells.flatMap((spell) => named(spell, key, ({ early }) => early || inIt.includes(spell)));
    const present = new Set(
      [...this.#current.values()].filter((spell) => inIt.includes(spell)).map(({ device }) => device),
    );
    const certain = (key: Change["key"]) =>
      inIt.flatMap((spell) => named(spell, key, (one) => !one.doubtful && (one.acked || present.has(spell.device))));
    const elements = tags as string[];
    const count = Number(visits ?? 0);
    const wrong: string[] = [];
    if (note !== undefined && !names("note").includes(String(note)))
      wrong.push(`shows ${note}, written to another session`);
    for (const tag of elements)
      if (!names("tags").includes(tag)) wrong.push(`shows ${tag}, written to another session`);
    if (new Set(elements).size < elements.length) wrong.push(`has an element twice: ${elements}`);
    if (count > names("visits").length) wrong.push(`counts ${count} of ${names("visits").length} visits`);
    if (atRest) {
      for (const tag of certain("tags")) if (!elements.includes(tag)) wrong.push(`has lost ${tag}`);
      if (count < certain("visits").length) wrong.push(`counts ${count} of ${certain("visits").length} certain visits`);
    }
    if (wrong.length > 0) throw new Error(`${where} ${wrong.join("; ")}`);
  }

  #end(tab: Tab, identifier: string | null): void {
    const { device, identifier: left } = this.#spell(tab);
    this.#doubt(this.#spells.filter((spell) => spell.device === device && spell.identifier === left));
    this.#current.delete(tab);
    this.#counted.delete(tab);
    this.#spell(tab).identifier = identifier;
  }

  #doubt(spells: readonly Spell[]): void {
    for (const change of spells.flatMap(({ changes }) => changes)) change.doubtful ||= !change.acked;
  }

  #spell(tab: Tab): Spell {
    const spell = this.#current.get(tab) ?? { device: tab.device, identifier: null, changes: [] };
    if (!this.#current.has(tab)) this.#spells.push(spell);
    this.#current.set(tab, spell);
    return spell;
  }
}

const named = ({ changes }: Spell, key: Change["key"], test: (change: Change) => boolean = () => true) =>
  changes.filter((change) => change.key === key && test(change)).map(({ name }) => name);
