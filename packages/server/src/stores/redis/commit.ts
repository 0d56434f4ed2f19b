import { stampOn } from "../entry-cache.ts";
import type { Commit, EntryChange } from "../store.ts";

// What a commit sends, in the form in which a session lies in its hash, as `scripts.ts` describes it.

/** A time or a stamp as it rests: in base 36, or, in the rare case that it has a fraction, as it is behind a colon. */
export function brief(value: number): string {
  return Number.isSafeInteger(value) && value >= 0 ? value.toString(36) : `:${value}`;
}

/** The field of an entry. Catnap's own names begin with `~`, and need no other mark. */
export const fieldOf = (name: string): string => (name.startsWith("~") ? name : `=${name}`);

/** Who writes most entries. */
export const server = "server";

/** What `commitScript` takes behind the time after which it is too late. */
export function commitArguments(commit: Commit, lingerMs: string, stamp: number): string[] {
  const { create, timeoutMs, authenticatedAt, subject, expect, changes } = commit;
  const optional = (time: number | undefined) => (time === undefined ? "" : brief(time));
  const removals: string[] = [];
  const entries: string[] = [];
  for (const [name, change] of changes) {
    if (change.value === undefined) removals.push(fieldOf(name));
    else entries.push(fieldOf(name), rest(change, change.value));
  }
  const args = [String(commit.now), String(commit.accessedAt), String(commit.transactions), lingerMs];
  args.push(optional(timeoutMs), optional(authenticatedAt), subject === undefined ? "" : `=${subject}`);
  args.push(
    optional(create?.createdAt),
    optional(create && create.endsAt - create.createdAt),
    brief(stamp),
    optional(stampOn(commit)),
    String(expect.size),
  );
  for (const [name, rev] of expect) args.push(fieldOf(name), String(rev));
  args.push(String(removals.length), ...removals, ...entries);
  return args;
}

/** An entry as it rests, behind its revision. Most are the server's own writes, which say no more than the value. */
function rest({ writer, seq }: EntryChange, value: string | null): string {
  const sign = value === null ? "-" : "+";
  return writer === server && seq === 0
    ? `${sign}${value ?? ""}`
    : ` ${seq} ${sign}${writer.length} ${writer}${value ?? ""}`;
}
