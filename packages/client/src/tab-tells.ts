import { after, maxNotes, noteName } from "@catnap/shared";
import type { Told } from "./replica/delta.ts";
import { labelOf } from "./replica/events.ts";
import type { Replica } from "./replica/replica.ts";
import type { Database } from "./storage/database.ts";
import { inTurn } from "./sync/in-turn.ts";
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
  (Object.keys(a) as (keyof Status)[]).every((name) => a[name] === b[name]);

/** After so long each process sees what another one has written to localStorage. */
const turnMs = 50;

/** Tells the app what became of changes: once in a browser, by the tab that hears of it first. */
export class Teller {
  readonly #parts: TabParts;
  /** It is this tab's turn. */
  #isOn = false;

  constructor(parts: TabParts) {
    this.#parts = parts;
  }

  /** What any tab may hear of. Those that do in one moment take turns, so that each sees what the one before has told. */
  tellInTurn(told: readonly Told[]): void {
    const { locks, name, replica } = this.#parts;
    const tell = () => {
      this.tell(told);
      // Not before: the server forgets what was heard, and this tab may end while it waits for its turn.
      replica.heard = told.slice(-maxNotes).map(noteName);
    };
    if (told.length === 0 || this.#isOn) return tell();
    void inTurn(locks, `${name}:told`, async () => {
      this.#isOn = true;
      tell();
      await new Promise<void>((resolve) => void after(turnMs, resolve));
      this.#isOn = false;
    });
  }

  /** What this tab alone knows, and what no other has told. */
  tell(told: readonly Told[]): void {
    const { epochs, onConflict, replica } = this.#parts;
    const { heard } = epochs.get();
    const fresh = told.filter((note) => !heard.includes(noteName(note)));
    if (fresh.length > 0) epochs.set({ heard: [...heard, ...fresh.map(noteName)] });
    for (const { writer: _, seq: __, mine, ...note } of fresh) {
      const key = labelOf(replica.definition, note.key);
      onConflict({ ...note, key, mine: replica.memory.mine(note, mine) });
    }
  }
}
