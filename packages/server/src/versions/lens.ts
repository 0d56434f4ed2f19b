import {
  type AnyDefinition,
  checksum,
  decode,
  isSessionError,
  type Key,
  refusal,
  type SessionError,
  valueSum,
} from "@catnap/shared";
import type { Entry, EntryChange, SessionRecord } from "../stores/store.ts";

type Entries = SessionRecord["entries"];

/** What rests of a key, as today's definition has it. */
export interface Sight {
  /** Encoded; `null`: there is nothing that the definition can use. */
  readonly value: string | null;
  /** There is something that it cannot use, and that must not be overwritten by anybody who has not seen it: why. */
  readonly unfit?: SessionError;
}

const absent: Sight = { value: null };

/**
 * The entries of sessions through one definition: other versions of it may have written them. Each entry is looked at once,
 * by its identity, which a store's cache keeps from request to request.
 */
export class Lens {
  readonly #definition: AnyDefinition;
  readonly #sights = new WeakMap<Entry, Sight>();
  /** By entries, the names of those that `migrate`, or the schema, has made something else of. */
  readonly #mended = new WeakMap<Entries, Set<string>>();
  /** Of entries, which are never changed: most stores give the same ones with every request. */
  readonly #checksums = new WeakMap<Entries, string>();
  /** The names that only the server writes. */
  readonly #guarded: readonly string[];

  constructor(definition: AnyDefinition) {
    this.#definition = definition;
    this.#guarded = [...definition.keys.values()].flatMap(({ access, name }) => (access === "shared" ? [] : name));
  }

  look(name: string, entries: Entries | undefined): Sight {
    const entry = entries?.get(name);
    if (!entries || !entry || entry.value === null || this.isForeign(name, entry)) return absent;
    let sight = this.#sights.get(entry);
    if (!sight) {
      sight = this.#inspect(name, entry.value);
      this.#sights.set(entry, sight);
    }
    if (sight.value !== entry.value && !sight.unfit) this.#mend(name, entries);
    return sight;
  }

  /** Whether a browser may see what rests under this name. */
  shows(name: string, entry: Entry): boolean {
    const key = this.#definition.keys.get(name);
    return key !== undefined && key.access !== "secret" && !this.isForeign(name, entry);
  }

  /** Of what a browser may see. */
  checksum(entries: Entries): string {
    let known = this.#checksums.get(entries);
    if (known === undefined) {
      let sum = 0;
      for (const [name, entry] of entries) if (this.shows(name, entry)) sum += valueSum(name, entry.value);
      known = checksum(this.#definition, sum);
      this.#checksums.set(entries, known);
    }
    return known;
  }

  /** What the next commit does besides: it writes back what was migrated, and deletes what is of no use to any version. */
  upkeep(entries: Entries): Map<string, EntryChange> {
    const changes = new Map<string, EntryChange>();
    const put = (name: string, value: string | null | undefined, writer?: string) =>
      changes.set(name, { value, writer: originOf(writer), seq: 0 });
    for (const name of this.#mended.get(entries) ?? [])
      put(name, this.look(name, entries).value, entries.get(name)?.writer);
    for (const name of this.#definition.dropped) if (entries.has(name)) put(name, undefined);
    for (const name of this.#guarded) {
      const entry = entries.get(name);
      // A browser that shows it has to learn that it is gone.
      if (entry?.value != null && this.isForeign(name, entry)) put(name, null);
    }
    return changes;
  }

  /** Whether a browser has written it while the key was `shared`, which it is no more. */
  isForeign(name: string, { writer }: Entry): boolean {
    if (writer === "server") return false;
    const key = this.#definition.keys.get(name);
    return key !== undefined && key.access !== "shared" && !this.#definition.trust.has(key.label);
  }

  #inspect(name: string, encoded: string): Sight {
    const key = this.#definition.keys.get(name);
    if (!key) return absent;
    const stored = decoded(name, encoded);
    // Not of another version, but damaged: whoever reads it is told.
    if (stored === undefined) return { value: encoded };
    try {
      return { value: key.fit(stored) };
    } catch (error) {
      return { value: null, unfit: misfit(key, error) };
    }
  }

  #mend(name: string, entries: Entries): void {
    const names = this.#mended.get(entries) ?? new Set();
    this.#mended.set(entries, names.add(name));
  }
}

/**
 * Who writes what is taken along from another writer: what a browser has written stays that, since a key may be the server's
 * alone in a later version. The browser's tabs are not named: this is no change of theirs.
 */
export function originOf(writer = "server"): string {
  return writer === "server" ? writer : "browser";
}

/** `undefined`: it is no value. */
function decoded(name: string, encoded: string): unknown {
  try {
    return decode(encoded, name);
  } catch {
    return undefined;
  }
}

function misfit({ label: name, access, migrates }: Key, cause: unknown): SessionError {
  const what = "holds a value of another version that its schema rejects, and keeps it";
  const half = access === "secret" ? "extendSession or defineSession" : "defineSession";
  if (!migrates) {
    const remedy = `give ${half} a migrate.${name}, which may return undefined to drop it`;
    return refusal("INVALID_VALUE", name, `${what}: ${remedy}`);
  }
  const why = isSessionError(cause) ? "gives what the schema rejects, too" : "has thrown";
  return refusal("INVALID_VALUE", name, `${what}, since migrate.${name} ${why}: mend it`, { cause });
}

const lenses = new WeakMap<AnyDefinition, Lens>();

/** The one lens of a definition. */
export function lensOf(definition: AnyDefinition): Lens {
  let lens = lenses.get(definition);
  if (!lens) {
    lens = new Lens(definition);
    lenses.set(definition, lens);
  }
  return lens;
}
