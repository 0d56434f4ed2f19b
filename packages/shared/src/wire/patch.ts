import { decode } from "../codec.ts";
import type { Key } from "../definition/key.ts";
import { refusal } from "../session-error.ts";

/**
 * One change of one key, as it rests in an outbox and travels in a push. Values are encoded; an absent value is `null`.
 */
export interface Op {
  /** Rises over all tabs of a browser: later edits have higher numbers. */
  readonly seq: number;
  readonly key: string;
  /** The value set, or `null`: deleted. */
  readonly value: string | null;
  /** The revision of the key's entry that the page has shown, or had shown before its pending changes; 0 when there was none. */
  readonly base: number;
  /**
   * The value before, for a key with a merge: what the change was made from. In a push it is absent where it is what the
   * key's op before it has set, or `null` where there is none.
   */
  readonly from?: string | null;
}

/**
 * What a key holds after an op, given what it holds now. A key without a merge takes the op's value. A key with one
 * takes it only when nothing came between, else the merge of both, validated: server and browser run this same
 * function, so that the optimistic view shows what the server will decide.
 *
 * Throws `INVALID_VALUE` when the merge throws, or the key's schema rejects what it gives.
 */
export function applyOp(key: Key, op: Op, current: string | null): string | null {
  if (op.value === null || !key.merge || op.from === current) return op.value;
  const theirs = current === null ? key.fallback() : decode(current, key.name);
  if (theirs === undefined) return op.value;
  const base = op.from == null ? key.fallback() : decode(op.from, key.name);
  const mine = decode(op.value, key.name);
  return key.encode(mergeValues(key, base, mine, theirs), current);
}

/** Merges decoded values of a key; what comes of it is still to be validated. Throws `INVALID_VALUE` when the merge throws. */
export function mergeValues(key: Key, base: unknown, mine: unknown, theirs: unknown): unknown {
  try {
    return key.merge?.(base, mine, theirs);
  } catch (cause) {
    throw refusal("INVALID_VALUE", key.label, "has a merge that throws: mend it", { cause });
  }
}
