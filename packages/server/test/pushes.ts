import { type Op, type Push, protocol } from "@catnap/shared";

/** A push as a tab would make it; `upTo` follows the ops. */
export function push(parts: Partial<Push> & { ops?: readonly Op[] } = {}): Push {
  const ops = parts.ops ?? [];
  return {
    protocol,
    identifier: null,
    profile: "profile-1",
    writer: "writer-1",
    upTo: ops.at(-1)?.seq ?? 0,
    since: 0,
    acked: 0,
    ...parts,
    ops,
  };
}
