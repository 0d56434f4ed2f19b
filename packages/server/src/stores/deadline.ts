import { SessionError } from "@catnap/shared";

/**
 * Waits for `work` at most so many milliseconds, then rejects with `STORE_UNAVAILABLE`. Work that is late may still take
 * effect: nobody can tell from here, and whoever retries is told by revisions and watermarks.
 */
export function within<T>(ms: number, name: string, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        new SessionError(
          "STORE_UNAVAILABLE",
          `${name} has not answered within ${Math.round(ms) / 1000} s: look after its load and the network, then try again`,
        ),
      );
    }, ms);
    work.then(
      (result) => {
        clearTimeout(timer);
        resolve(result);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
