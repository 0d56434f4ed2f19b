import { moodOf, type Shown } from "./change.ts";
import { epochOf, identityOf, type Tab } from "./device.ts";
import type { Reference } from "./reference.ts";
import type { World } from "./world.ts";

/** Holds what every tab shows against the changes that were made. */
export function checkTabs(world: World, reference: Reference, final: boolean): void {
  for (const [i, tab] of world.devices.flatMap(({ tabs }) => tabs).entries()) {
    const identifier = identityOf(tab);
    checkMood(world, i, tab);
    reference.check(`Tab ${i}`, identifier, valuesOf(tab), final);
    // A frozen one has yet to hear.
    if (!tab.frozen && identifier !== null && epochOf(tab.device)?.past.includes(identifier)) {
      throw new Error(`Tab ${i} shows a session that its browser has ended`);
    }
  }
}

/** At rest: all that was made is where it belongs, the tabs show what the store holds, and disks nothing that was wiped. */
export async function checkAll(world: World, reference: Reference): Promise<void> {
  checkTabs(world, reference, true);
  for (const tab of world.devices.flatMap(({ tabs }) => tabs)) {
    const identifier = identityOf(tab);
    const stored: Shown | null = identifier === null ? {} : await world.stored(identifier);
    const status = tab.session.status();
    // What a browser without its cookie has changed waits for ever, and shows.
    if (status.problem?.code === "NO_COOKIE") continue;
    const where = `A tab of the session ${identifier}`;
    if (status.pending > 0) throw new Error(`${where} still waits: ${JSON.stringify(status)}`);
    const shown = valuesOf(tab);
    const seen = seenBy(tab, stored ?? {});
    if (JSON.stringify(sorted(shown)) !== JSON.stringify(sorted(seen))) {
      throw new Error(`${where} shows ${JSON.stringify(shown)}, the store holds ${JSON.stringify(stored)}`);
    }
  }
  for (const device of world.devices) {
    const { past: over = [], ends = [] } = epochOf(device) ?? {};
    if (ends.length > 0) throw new Error(`The server was not told of the end of ${ends}`);
    const [left] = [...device.disk.rows].find(([, row]) => over.includes(sessionOf(row))) ?? [];
    if (left !== undefined) throw new Error(`${left} is on disk, though its session was wiped`);
  }
  for (const identifier of await world.identifiers()) {
    reference.check("The store", identifier, (await world.stored(identifier)) ?? {}, true);
  }
}

/** What the tab shows. One of the older version knows nothing of tags, and may be unable to read a mood. */
const valuesOf = ({ session, version }: Tab): Shown =>
  version === "older" ? { mood: null, ...session.values(), tags: null } : session.values();

/** What a tab of its version sees of what is stored. */
function seenBy({ version }: Tab, stored: Shown): Shown {
  const { mood } = stored;
  if (version === "older") return { ...stored, mood: typeof mood === "string" ? mood : null, tags: null };
  return typeof mood === "string" ? { ...stored, mood: { name: mood } } : stored;
}

/** Whatever other versions have written, a tab shows what the type of its own allows. */
function checkMood(world: World, i: number, { session, version }: Tab): void {
  const { mood } = session.values() as Shown;
  if (mood === undefined) return;
  if (typeof mood !== (version === "older" ? "string" : "object"))
    throw new Error(`Tab ${i}, of the ${version} version, shows the mood ${JSON.stringify(mood)}`);
  if (version === "newer" && String(moodOf(mood)).startsWith("text"))
    world.reached.add("a value of another version's type, migrated");
}

/** The session of a row on disk. */
const sessionOf = (row: unknown) => String((row as { identifier?: string | null }).identifier);

const sorted = (values: object) => Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
