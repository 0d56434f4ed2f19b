import { byteLength, maxOpsPerPush, type Op } from "@catnap/shared";
import type { Pending } from "./memory.ts";

/** Of these ops as many of the oldest as go into a push of so many bytes, as they travel: one at least. */
export function packed(pending: readonly Pending[], bytes: number): Op[] {
  const ops: Op[] = [];
  const values = new Map<string, string | null>();
  let room = bytes;
  for (const { writer: _, from, ...op } of pending) {
    // Left out where it is what the op before it has set.
    const wired = from === undefined || from === (values.get(op.key) ?? null) ? op : { ...op, from };
    room -= byteLength(JSON.stringify(wired));
    if (ops.length > 0 && (room < 0 || ops.length >= maxOpsPerPush)) break;
    values.set(op.key, op.value);
    ops.push(wired);
  }
  return ops;
}
