import type { Note, Push, SessionFacts, SessionState, SyncSuccess } from "@catnap/shared";

/** What the server holds of a key, as far as this tab knows; `null`: deleted. */
export interface BaseEntry {
  readonly value: string | null;
  readonly rev: number;
}

/** What a session knows of itself, in absolute times. */
export type Facts = Omit<SessionState, "identifier">;

/** What is new of the server's state, from an answer or from the sibling tab that got it. */
export interface Delta {
  /** The revision that the entries are the difference to. */
  readonly since: number;
  readonly rev: number;
  readonly entries: readonly (readonly [string, BaseEntry])[];
  readonly reset: boolean;
  /** Whose answer it is, and up to which of its ops. */
  readonly writer: string;
  readonly acked: number;
  /** The same for all writers that the server told of. */
  readonly decided: Readonly<Record<string, number>>;
  /** By writer, ops that are not decided all the same. */
  readonly undecided?: Undecided;
  readonly facts: Facts | null;
}

/** By writer, ops that wait for a process of the server that knows their keys. */
export type Undecided = Readonly<Record<string, readonly number[]>> | undefined;

/** A note for the app. `mine` is what the change had set, encoded; `null`: nothing, `undefined`: that is not known. */
export type Told = Omit<Note, "was"> & { readonly mine: string | null | undefined };

/** A delta that changes nothing. */
export const nothing: Delta = {
  since: 0,
  rev: 0,
  entries: [],
  reset: false,
  writer: "",
  acked: 0,
  decided: {},
  facts: null,
};

/** Ages, counted back from the answer by the server's clock, as times of this browser's. */
export function toFacts(facts: SessionFacts, now: number): Facts {
  return {
    createdAt: now - facts.createdAgo * 1000,
    accessedAt: now - facts.accessedAgo * 1000,
    transactions: facts.transactions,
    timeoutMs: facts.timeout * 1000,
    expiresAt: now + facts.expiresIn * 1000,
  };
}

/** What is known of a session before the server has told anything. */
export function unknownFacts(now: number): Facts {
  return { createdAt: now, accessedAt: now, transactions: 0, timeoutMs: 0, expiresAt: Number.POSITIVE_INFINITY };
}

/** What an answer to `push` tells, with the values that it left out since the push carried them. */
export function deltaOf(push: Push, answer: SyncSuccess, now: number): Delta {
  const carried = new Map(push.ops.map(({ key, value }) => [key, value]));
  const entries: [string, BaseEntry][] = Object.entries(answer.entries).map(([name, { value, rev }]) => [
    name,
    { value: value ?? carried.get(name) ?? null, rev },
  ]);
  for (const [name, rev] of Object.entries(answer.deleted)) entries.push([name, { value: null, rev }]);
  return {
    since: push.since,
    rev: answer.rev,
    entries,
    reset: answer.reset === true,
    writer: push.writer,
    acked: answer.acked,
    decided: answer.decided,
    undecided: answer.undecided,
    facts: answer.facts && toFacts(answer.facts, now),
  };
}
