import type { AnyDefinition } from "@catnap/shared";
import type { Memory, Pending } from "./memory.ts";

/**
 * What a browser takes along from its session, of which the name is that of all these changes. Tabs that do so in one moment
 * make the same ones, under the same names: then each counts once.
 */
export function heirloomsOf(definition: AnyDefinition, memory: Memory, identifier: string): Pending[] {
  return [...definition.keys.values()].flatMap((key, i) => {
    const encoded = key.adopt ? memory.get(key.name) : null;
    const value = encoded && memory.shown(key, encoded);
    const from = key.merge && { from: null };
    return value ? [{ seq: i + 1, key: key.name, value, base: 0, ...from, writer: identifier }] : [];
  });
}
