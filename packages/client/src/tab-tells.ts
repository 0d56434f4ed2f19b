import { noteName } from "@catnap/shared";
import type { Told } from "./replica/delta.ts";
import { labelOf } from "./replica/events.ts";
import type { Replica } from "./replica/replica.ts";
import type { Database } from "./storage/database.ts";
import type { Sync } from "./sync/sync.ts";
import type { Status, TabParts } from "./tab-parts.ts";

// What a tab tells its app.

export function statusOf(
  { memory, isUnconfirmed }: Replica,
  { storage }: Pick<Database, "storage">,
  { pace, flying, intake, troubles }: Pick<Sync, "pace" | "flying" | "intake" | "troubles">,
  awake: boolean,
): Status {
  const { pending } = memory;
  let state: Status["state"] = awake ? "synced" : "asleep";
  if (pending > 0) state = "dirty";
  if (pace.failures > 0) state = "offline";
  if (flying) state = "syncing";
  if (isUnconfirmed) state = "unconfirmed";
  if (intake.expired) state = "expired";
  return { state, pending, storage, problem: troubles.problem };
}

export const isSame = (a: Status, b: Status): boolean =>
  a.state === b.state && a.pending === b.pending && a.storage === b.storage && a.problem === b.problem;

/** Any tab of the browser may have told the app, whose answer came first. */
export function tellNotes({ epochs, onConflict, replica }: TabParts, told: readonly Told[]): void {
  const { heard } = epochs.get();
  const fresh = told.filter((note) => !heard.includes(noteName(note)));
  if (fresh.length > 0) epochs.set({ heard: [...heard, ...fresh.map(noteName)] });
  for (const { writer: _, seq: __, mine, ...note } of fresh) {
    const key = labelOf(replica.definition, note.key);
    onConflict({ ...note, key, mine: replica.memory.mine(note, mine) });
  }
}
