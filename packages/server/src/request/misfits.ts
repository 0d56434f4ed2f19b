import type { Settings } from "../settings.ts";
import type { SessionRecord } from "../stores/store.ts";
import { lensOf, type Sight } from "../versions/lens.ts";

/** By settings, the keys of which `report` was told that a session holds what their schemas reject. */
const told = new WeakMap<Settings, Set<string>>();

/** What rests under a name, as today's definition has it. Somebody should hear of what is as good as absent: once for each key. */
export function sightOf(settings: Settings, record: SessionRecord | null, name: string): Sight {
  const { definition, report } = settings;
  const sight = lensOf(definition).look(name, record?.entries);
  if (!record || !sight.unfit) return sight;
  const names = told.get(settings) ?? new Set();
  if (!names.has(name)) {
    told.set(settings, names.add(name));
    const key = definition.keys.get(name)?.label ?? name;
    report({ kind: "misfit", key, identifier: record.identifier, error: sight.unfit });
  }
  return sight;
}
