import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { SessionStore } from "@catnap/server";
import { Tokens } from "@catnap/server/tokens";
import { lensOf } from "@catnap/server/versions";
import type { AnyDefinition } from "@catnap/shared";
import { assertStore, invalid } from "./checks.ts";
import { changesBetween, printOf, readPrint } from "./definition-print.ts";

/** What `checkDefinition` holds a definition against. */
export interface CheckDefinitionOptions {
  /** The file of the last version, such as `session.lock.json`, to be committed, from the working directory. One that does not exist is written, and `changes` tells of it. */
  readonly lock?: string;
  /** Writes the file anew, once its changes have been read; default false. */
  readonly update?: boolean;
  /** Where sessions of earlier versions rest, or a copy of it. Nothing is written there. */
  readonly store?: SessionStore;
  /** How many sessions of this app to look at; default 1,000. */
  readonly sessions?: number;
}

/** A value that this version of the definition cannot use. */
export interface DefinitionLoss {
  readonly identifier: string;
  readonly key: string;
  /**
   * `misfit`: neither the schema nor `migrate` takes it; it stays, as good as absent. `untrusted`: a browser wrote it while the
   * key was shared; it is deleted. `dropped`: the definition names the key in `dropped`, or its `migrate` gives `undefined`; it is
   * deleted. `unknown`: no key has this name; it stays, for another version.
   */
  readonly what: "misfit" | "untrusted" | "dropped" | "unknown";
}

export interface DefinitionCheck {
  /** How the definition differs from that of the file, and what comes of it: a sentence each. */
  readonly changes: readonly string[];
  readonly losses: readonly DefinitionLoss[];
  /** How many sessions were looked at. Expect some: another store than the one you meant has none. */
  readonly sessions: number;
}

/**
 * Says what a deploy of this definition would do: how it differs from the last version, which a file in your repository holds
 * as a lock file does, and which stored sessions would lose what. For a test in CI, and for a look at a copy of the database
 * before a release. Quotes no value.
 *
 * A file knows no schemas: whether values still fit them, the store alone tells.
 *
 * Rejects with what the store rejects with, and with `INVALID_OPTION` for what is no definition, for a file that holds none, and
 * for options that leave nothing to look at.
 */
export async function checkDefinition(
  definition: AnyDefinition,
  options: CheckDefinitionOptions,
): Promise<DefinitionCheck> {
  const { lock, update = false, store, sessions: most = 1_000 } = options ?? {};
  if (!definition?.keys) throw invalid("checkDefinition takes what defineSession or extendSession returned");
  if (lock === undefined && store === undefined)
    throw invalid("checkDefinition takes a lock, a store, or both: give one");
  if (store !== undefined) assertStore("checkDefinition: store", store);
  if (!Number.isSafeInteger(most) || most < 1)
    throw invalid("checkDefinition: sessions is no whole number above 0: give one");
  const print = printOf(definition);
  const isThere = lock !== undefined && existsSync(lock);
  const changes = isThere ? changesBetween(readPrint(lock, readFileSync(lock, "utf8")), print, definition) : [];
  // Where nobody commits it, as in CI, it would be new, and nothing changed, each time.
  if (lock !== undefined && !isThere) changes.push(`${lock} did not exist, and holds this version now: commit it`);
  if (lock !== undefined && (update || !isThere)) writeFileSync(lock, `${JSON.stringify(print, null, 2)}\n`);
  const losses: DefinitionLoss[] = [];
  let count = 0;
  let cursor: string | undefined;
  // A store may have sessions of other apps, too.
  const tokens = new Tokens(definition.name);
  while (store && count < most) {
    const page = await store.find({ limit: 100, ...(cursor !== undefined && { cursor }) });
    for (const { identifier } of page.items) {
      const record = count < most && tokens.owns(identifier) ? await store.read(identifier) : null;
      if (!record) continue;
      count++;
      for (const [key, { value }] of record.entries) {
        const what = value === null || key.startsWith("~") ? null : lossOf(definition, key, record.entries);
        if (what) losses.push({ identifier, key, what });
      }
    }
    cursor = page.cursor;
    if (cursor === undefined) break;
  }
  return { changes, losses, sessions: count };
}

type Entries = Parameters<ReturnType<typeof lensOf>["look"]>[1];

function lossOf(definition: AnyDefinition, key: string, entries: Entries): DefinitionLoss["what"] | null {
  if (definition.dropped.includes(key)) return "dropped";
  if (!definition.keys.has(key)) return "unknown";
  const { value, unfit } = lensOf(definition).look(key, entries);
  if (unfit) return "misfit";
  const entry = entries?.get(key);
  if (value !== null || !entry) return null;
  return lensOf(definition).isForeign(key, entry) ? "untrusted" : "dropped";
}
