import { after, SessionError } from "@catnap/shared";

/** A turn that has come. */
export interface Turn<T> {
  /** What whoever had the turn before has left. */
  readonly left: T | undefined;
  /** Ends the turn, and leaves something for whoever is next. */
  end(leaves?: T): void;
}

/** Lets one at a time do something about one thing, in the order in which they came. */
export class Turns<T> {
  /** By thing, the end of the last turn that was asked for. */
  readonly #last = new Map<string, Promise<T | undefined>>();
  /** What is being done without a turn. */
  readonly #early = new Set<string>();

  /** Whether anybody has the turn, or waits for it. */
  isTaken(thing: string): boolean {
    return this.#last.has(thing);
  }

  /**
   * Begins at once, without a turn: whoever takes a turn does not wait for this. Gives a function to call at the end, or `null`
   * where somebody else has begun so and is not done.
   */
  begin(thing: string): (() => void) | null {
    if (this.#early.has(thing)) return null;
    this.#early.add(thing);
    return () => void this.#early.delete(thing);
  }

  /** Waits for the turn, until `deadline` by `performance.now()`. Throws `CONFLICT` when it does not come in time. */
  async take(thing: string, deadline: number): Promise<Turn<T>> {
    let end!: (leaves?: T) => void;
    const ended = new Promise<T | undefined>((resolve) => {
      end = resolve;
    });
    const before = this.#last.get(thing);
    const mine = before === undefined ? ended : before.then(() => ended);
    this.#last.set(thing, mine);
    void mine.then(() => {
      if (this.#last.get(thing) === mine) this.#last.delete(thing);
    });
    if (before === undefined) return { left: undefined, end };
    try {
      return { left: await inTime(before, deadline), end };
    } catch (error) {
      end();
      throw error;
    }
  }
}

function inTime<T>(work: Promise<T>, deadline: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = after(deadline - performance.now(), () => reject(contended()));
    void work.then((result) => {
      cancel();
      resolve(result);
    });
  });
}

/** What a commit rejects with that was refused until its time was over. */
export function contended(): SessionError {
  return new SessionError("CONFLICT", "Other writers of the same values kept winning: try again");
}
