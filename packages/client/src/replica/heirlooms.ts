import { type AnyDefinition, fnv } from "@catnap/shared";
import type { Memory, Pending } from "./memory.ts";

/**
 * What a browser takes along from its session, as changes whose names come of the session's and the key's. Tabs that do so in one
 * moment make the same ones, under the same names, whichever of the keys each of them knows: then each counts once.
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
