import {
  type AnyDefinition,
  decode,
  type Op,
  type SessionErrorCode,
  type ValueOf,
  type WritableNameOf,
} from "@catnap/shared";
import { call, type Listeners } from "./listeners.ts";

/** The server has ended the session: the app decides what becomes of changes that never went home. */
export interface Expired {
  readonly code: "SESSION_EXPIRED" | "SESSION_GONE" | "SESSION_REPLACED";
  /** The latest unsent change of each key; a `value` of `undefined` is a deletion. */
  readonly unsent: readonly { readonly key: string; readonly value: unknown }[];
}

/** By what name the app calls a key that rests under this one. */
export const labelOf = ({ keys }: AnyDefinition, name: string): string => keys.get(name)?.label ?? name;

/** The latest of these changes of each key, decoded. */
export function unsentOf(definition: AnyDefinition, ops: readonly Op[]): Expired["unsent"] {
  const latest = new Map(ops.map(({ key, value }) => [key, value]));
  return [...latest].map(([name, value]) => {
    const key = labelOf(definition, name);
    return { key, value: value === null ? undefined : decode(value, key) };
  });
}

interface ConflictOf<K extends string, What extends string, Mine> {
  readonly key: K;
  /**
   * `merged`: the change and another one were joined. `lost`: another device's change stands in its place. `rejected`:
   * it fits neither the schema nor the rights of the browser, and was dropped.
   */
  readonly what: What;
  /**
   * What the change had set; `undefined`: it was a deletion, or too long to be kept since it was sent, or does not fit this
   * page's schema. Of a `rejected` change anything: the schema may have refused it.
   */
  readonly mine: Mine;
  readonly code?: SessionErrorCode;
  readonly message?: string;
}

/**
 * A change of this browser that was not simply applied: enough to tell the user, and to offer an undo. A union of the keys
 * that the browser writes: once `key` is known, and that `what` is not `rejected`, `mine` is of the key's type.
 */
export type Conflict<D extends AnyDefinition = AnyDefinition> = {
  [K in WritableNameOf<D, "browser">]:
    | ConflictOf<K, "merged" | "lost", ValueOf<D, K> | undefined>
    | ConflictOf<K, "rejected", unknown>;
}[WritableNameOf<D, "browser">];

/** Tells all who listen. Where nobody does, a line on the console names the keys of the changes that were dropped, and why. */
export function tell<E extends { readonly what?: string; readonly code?: string }>(
  all: Listeners<E>,
  event: E,
  dropped: readonly { readonly key: string }[],
): void {
  const { what = "unsent", code = "to another device" } = event;
  if (all.size === 0 && dropped.length > 0) {
    const keys = dropped.map(({ key }) => key).join(", ");
    console.warn(`catnap: dropped changes of ${keys}: ${what} ${code}. See onConflict and onExpired`);
  }
  for (const listener of [...all]) call(() => listener(event));
}
