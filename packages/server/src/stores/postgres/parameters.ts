import { stampOn } from "../entry-cache.ts";
import type { Commit, Query, StoreKey, Touch } from "../store.ts";
import type { Find } from "./statements.ts";
import { armour } from "./text.ts";

// What the store's statements take, in their order.

/** Which of the statements finds what is asked for, and its parameters. It is asked for one more than the page holds. */
export function findParameters({ subject, expiredAt, entries = [], cursor = "", limit }: Query): {
  name: Find | `${Find}WithEntries`;
  values: unknown[];
} {
  const [name, conditions]: [Find, unknown[]] =
    subject === undefined
      ? expiredAt === undefined
        ? ["find", []]
        : ["findExpired", [expiredAt]]
      : expiredAt === undefined
        ? ["findOfSubject", [subject]]
        : ["findExpiredOfSubject", [expiredAt, subject]];
  const values = [armour(cursor), ...conditions, limit + 1];
  return entries.length === 0
    ? { name, values }
    : { name: `${name}WithEntries`, values: [...values, entries.map(armour)] };
}

/** The parameters of `write`, all but the last three. Empty lists are `null`, which spares the database the look. */
export function commitParameters(key: StoreKey, commit: Commit): unknown[] {
  const { create, expect, changes } = commit;
  const [keys, values, writers, seqs, gone]: [string[], (string | null)[], string[], number[], string[]] = [
    [],
    [],
    [],
    [],
    [],
  ];
  for (const [name, { value, writer, seq }] of changes) {
    if (value === undefined) {
      gone.push(armour(name));
      continue;
    }
    keys.push(armour(name));
    values.push(value === null ? null : armour(value));
    writers.push(armour(writer));
    seqs.push(seq);
  }
  const some = keys.length > 0;
  return [
    armour(key),
    commit.now,
    create?.createdAt ?? null,
    create?.endsAt ?? null,
    commit.accessedAt,
    commit.transactions,
    commit.timeoutMs ?? null,
    commit.subject ?? null,
    commit.authenticatedAt ?? null,
    expect.size > 0 ? Array.from(expect.keys(), armour) : null,
    expect.size > 0 ? [...expect.values()] : null,
    some ? keys : null,
    some ? values : null,
    some ? writers : null,
    some ? seqs : null,
    gone.length > 0 ? gone : null,
    stampOn(commit) ?? null,
  ];
}

/** The parameters of `touch`, all but the last. */
export function touchParameters(touches: readonly Touch[]): unknown[] {
  return [
    touches.map(({ key }) => armour(key)),
    touches.map(({ accessedAt }) => accessedAt),
    touches.map(({ transactions }) => transactions),
  ];
}
