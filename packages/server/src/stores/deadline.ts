import { after, SessionError } from "@catnap/shared";

/** Until when somebody waits, by `performance.now()`, and how long that was in all. */
export interface Deadline {
  readonly at: number;
  readonly ms: number;
}

export function deadlineIn(ms: number): Deadline {
  return { at: performance.now() + ms, ms };
}

export function isOver({ at }: Deadline): boolean {
  return performance.now() >= at;
}

/** What a call rejects with that `name` has not answered in so many milliseconds. */
export function unanswered(name: string, ms: number): SessionError {
  return new SessionError(
    "STORE_UNAVAILABLE",
    `${name} has not answered within ${Math.round(ms) / 1000} s: look after its load and the network, then try again`,
  );
}

/**
 * Waits for `work` at most so many milliseconds, or until a deadline, then rejects with `STORE_UNAVAILABLE`. Work that is
 * late may still take effect: nobody can tell from here, and whoever retries is told by revisions and watermarks. What it
 * then brings goes to `late`.
 */
export function within<T>(
  wait: number | Deadline,
  name: string,
  work: Promise<T>,
  late: (result: T) => void = () => undefined,
): Promise<T> {
  const { at, ms } = typeof wait === "number" ? deadlineIn(wait) : wait;
  return new Promise((resolve, reject) => {
    let over = false;
    const cancel = after(at - performance.now(), () => {
      over = true;
      reject(unanswered(name, ms));
    });
    work.then(
      (result) => {
        if (over) return late(result);
        cancel();
        resolve(result);
      },
      (error) => {
        cancel();
        reject(error);
      },
    );
  });
}
