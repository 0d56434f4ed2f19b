import { type Answer, type Key, type Push, SessionError } from "@catnap/shared";
import { originOf, type Sight } from "../versions/lens.ts";

/** One key's change on its way from a procedure to the store. Values are encoded, `null` is absent. */
export interface Change {
  readonly key: Key;
  readonly value: string | null;
  /** What the change was made from; matters only with `redo`. */
  readonly from: string | null;
  /** Makes the change again on another value than `from`. `null`: a blind write, which wins whatever is there. */
  readonly redo: ((current: string | null) => string | null) | null;
  /** The value that it was made from was given out as the only one, so that it must still be there. */
  readonly once?: true;
  /** Whose value it is, when not the server's. */
  readonly writer?: string;
}

/** What the change leaves behind on `current`. Throws `CONFLICT` where somebody else was given the value. */
export function replay({ key, value, from, redo, once }: Change, current: string | null): string | null {
  if (once && current === null) {
    throw new SessionError("CONFLICT", `Another request has taken "${key.label}" by flash: it is given once`, {
      key: key.label,
    });
  }
  return redo === null || current === from ? value : redo(current);
}

/** Whether the change depends on what is there when it is committed. */
export function reads({ redo, once }: Change): boolean {
  return redo !== null || once === true;
}

/** A change after a change, as one. */
function chain(first: Change, next: Change): Change {
  const { redo, once } = first;
  const value = replay(next, first.value);
  const redoBoth = next.redo && redo && ((current: string | null) => replay(next, redo(current)));
  // What the first has made, the next may take: it was nobody else's.
  return { key: first.key, value, from: first.from, redo: redoBoth, ...(once && { once }) };
}

/** A new session that takes the place of the one at hand. */
export interface Replacement {
  readonly identifier: string;
  /** The names of the values that it takes over. */
  readonly keep: ReadonlyMap<string, Key>;
}

/** What a call wants of its session beyond values. */
export interface Wishes {
  timeoutMs?: number;
  /** Whether the cookie stays when the browser is closed. */
  persistent?: boolean;
  subject?: string;
  /** Goes with `subject`: the login is to a new session. */
  replace?: Replacement;
  /** A new token: because the app asked for it, or because the old one has come of age. */
  rotate?: "asked" | "renewal";
  /** The token that the request came with has arrived: those before it retire. */
  confirm?: true;
  invalidate?: true;
  /** Commit although nothing changed. */
  force?: true;
  tickets?: readonly string[];
  push?: PendingPush;
}

/** A push on its way into a commit, and the answer once it is there. */
export interface PendingPush {
  readonly push: Push;
  answer: Answer | null;
  /** Why there is none, although the push is in: it will be sent again. */
  failure?: unknown;
}

/**
 * The changes that a procedure call has made and not yet handed over, or that a request has collected from the calls that
 * succeeded. Dropping it takes everything back.
 */
export class Draft {
  wishes: Wishes = {};
  /** Which of the request's sessions the first change was made on, where a login replaces one by another. */
  madeOn: number | null = null;
  #changes = new Map<string, Change>();

  get changes(): ReadonlyMap<string, Change> {
    return this.#changes;
  }

  put(change: Change): void {
    this.#take([change]);
  }

  /** Takes in what another call did, after what is here already; when that throws, nothing was taken. */
  absorb(other: Draft): void {
    const { subject } = this.wishes;
    if (subject !== undefined && other.wishes.subject !== undefined && other.wishes.subject !== subject) {
      throw subjectMismatch();
    }
    if (this.wishes.push && other.wishes.push) {
      throw new SessionError("BAD_PUSH", "One request carries one push: send session.sync once per batch");
    }
    if (other.wishes.replace) this.leave(other.wishes.replace);
    this.#take(other.changes.values());
    const tickets = [...(this.wishes.tickets ?? []), ...(other.wishes.tickets ?? [])];
    this.wishes = { ...this.wishes, ...other.wishes, ...(tickets.length > 0 ? { tickets } : {}) };
  }

  /** Drops what goes with the session that is replaced: all but changes of what is kept, its end, and the push, which wants its answer. */
  leave({ keep }: Replacement): void {
    const { push, invalidate } = this.wishes;
    this.#changes = new Map([...this.#changes].filter(([name]) => keep.has(name)));
    this.wishes = { ...(push && { push }), ...(invalidate && { invalidate }) };
  }

  /** Answers the push, which then goes no further; the rest of the draft does. */
  answerPush(given: Answer): void {
    const { push, ...wishes } = this.wishes;
    if (push) push.answer = given;
    this.wishes = wishes;
  }

  #take(changes: Iterable<Change>): void {
    // All of them are chained before the first is taken: an app's function may throw.
    const chained = [...changes].map((change) => {
      const earlier = this.#changes.get(change.key.name);
      return earlier ? chain(earlier, change) : change;
    });
    for (const change of chained) this.#changes.set(change.key.name, change);
  }

  /** Whether any change depends on what is there when it is committed, as those of a push do. */
  get reads(): boolean {
    for (const change of this.#changes.values()) if (reads(change)) return true;
    return this.wishes.push !== undefined;
  }

  get isEmpty(): boolean {
    return this.#changes.size === 0 && Object.keys(this.wishes).length === 0;
  }
}

/** A value that goes along into another session. */
export interface Kept {
  /** As it rests, of whatever version of the definition. */
  readonly resting: string | null | undefined;
  readonly writer: string | undefined;
  /** As today's definition has it. */
  readonly sight: Sight;
}

/**
 * What a draft does to the session that takes the old one's place, with the kept values as they are now: to one that has no
 * record yet all of it, else only what becomes of what is kept.
 */
export function movedTo(record: object | null, draft: Draft, kept: ReadonlyMap<Key, Kept>): Draft {
  const moved = new Draft();
  const put = (key: Key, value: string | null, writer = "server") =>
    moved.put({ key, value, from: null, redo: null, writer });
  for (const [key, { resting = null, writer, sight }] of kept) {
    const change = draft.changes.get(key.name);
    if (change && reads(change) && sight.unfit) throw sight.unfit;
    if (!change) put(key, resting, originOf(writer));
    else put(key, replay(change, sight.value));
  }
  for (const change of record ? [] : draft.changes.values()) {
    if (!kept.has(change.key)) put(change.key, replay(change, null));
  }
  const { subject, timeoutMs, tickets } = draft.wishes;
  if (record || subject === undefined) return moved;
  moved.wishes = { subject, ...(timeoutMs !== undefined && { timeoutMs }), ...(tickets && { tickets }) };
  return moved;
}

export function subjectMismatch(): SessionError {
  return new SessionError(
    "SUBJECT_MISMATCH",
    "The session belongs to another subject: call login(subject, { replace: true }), which ends it and begins the subject's, with the values that keep names",
  );
}
