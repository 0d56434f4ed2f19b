import { type AnyDefinition, fnv } from "@catnap/shared";
import type { Memory, Pending } from "./memory.ts";

/**
 * What a browser takes along from a session that has expired: one change for each key, with a writer and a seq that are made of
 * the session's identifier and the key's name alone. So tabs that do this in one moment make the same changes, and each counts
 * once, also where a tab is of another version of the app, whose keys are others.
 */
export function heirloomsOf(definition: AnyDefinition, memory: Memory, identifier: string): Pending[] {
  return [...definition.keys.values()].flatMap((key) => {
    const encoded = key.adopt ? memory.get(key.name) : null;
    const value = encoded && memory.shown(key, encoded);
    const from = key.merge && { from: null };
    const seq = 1 + (fnv(key.name) >>> 0);
    const writer = `${identifier}_${seq.toString(36)}`;
    return value ? [{ seq, key: key.name, value, base: 0, ...from, writer }] : [];
  });
}
