import type { AnyDefinition, SessionSnapshot } from "@catnap/shared";
import type { Draft, Replacement } from "../commit/draft.ts";
import type { SessionRecord } from "../stores/store.ts";
import { factsOf } from "../sync/answer.ts";
import { decidedIn } from "../sync/watermarks.ts";
import { lensOf } from "../versions/lens.ts";

/** What a snapshot is made of. */
export interface Pictured {
  readonly definition: AnyDefinition;
  /** By today's clocks; `null`: the session has none yet. */
  readonly record: SessionRecord | null;
  /** What calls have changed that is not committed, in order. */
  readonly drafts: Iterable<Draft>;
  readonly now: number;
  /** Names a session that has no record. */
  identify(): string;
}

/**
 * The state as a server-rendered page hands it to the browser, without secret values: the record's, and on top what calls
 * have changed.
 */
export function snapshotOf({ definition, record: stored, drafts, now, identify }: Pictured): SessionSnapshot {
  const lens = lensOf(definition);
  const shown = [...(stored?.entries ?? [])].filter(([name, entry]) => lens.shows(name, entry));
  const values = new Map<string, { value: string | null; rev: number }>(shown);
  let pending = false;
  let replaced: Replacement | undefined;
  for (const { changes, wishes } of drafts) {
    if (wishes.replace) {
      replaced = wishes.replace;
      for (const [name, { value }] of values)
        if (replaced.keep.has(name)) values.set(name, { value, rev: 0 });
        else values.delete(name);
    }
    for (const [name, { value }] of changes) {
      // Its revision is the one that it has until the commit, so that the browser asks for what the commit makes of it.
      values.set(name, { value, rev: values.get(name)?.rev ?? 0 });
      pending = true;
    }
  }
  const entries: Record<string, { value: string; rev: number }> = {};
  for (const [name, { value, rev }] of values) {
    if (value !== null && definition.keys.get(name)?.access !== "secret") entries[name] = { value, rev };
  }
  const record = replaced ? null : stored;
  return {
    identifier: replaced?.identifier ?? record?.identifier ?? (pending ? identify() : null),
    rev: record?.rev ?? 0,
    entries,
    ...(record ? decidedIn(record) : { decided: {} }),
    facts: record ? factsOf(record, now) : null,
  };
}
