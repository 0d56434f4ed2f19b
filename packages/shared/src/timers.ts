/** What every place has that runs JavaScript; `shared` knows neither the DOM nor Node. */
declare function setTimeout(call: () => void, ms: number): unknown;
declare function clearTimeout(timer: unknown): void;

/** Ends a wait. Once it is over, does nothing. */
export type Cancel = () => void;

/** The longest wait of JavaScript's own timers: they take a longer one, of 25 days or more, for none at all. */
const longestMs = 2_147_483_647;

/**
 * Calls back after so many milliseconds, any number of them; `Infinity` is never. With `idle` the wait keeps no process
 * of Node's alive.
 */
export function after(ms: number, call: () => void, idle = false): Cancel {
  let timer: unknown;
  const wait = (left: number) => {
    timer = setTimeout(() => (left > longestMs ? wait(left - longestMs) : call()), Math.min(left, longestMs));
    if (idle) (timer as { unref?(): void }).unref?.();
  };
  wait(ms);
  return () => clearTimeout(timer);
}

/** Calls back again and again, each time after so many milliseconds; keeps no process alive. */
export function every(ms: number, call: () => void): Cancel {
  let cancel: Cancel;
  const next = () => {
    cancel = after(
      ms,
      () => {
        next();
        call();
      },
      true,
    );
  };
  next();
  return () => cancel();
}
