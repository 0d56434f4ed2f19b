/** The simulation's clock and timers, in the place of the runtime's while a schedule runs. */
export class SimulatedTime {
  now = 1_700_000_000_000;
  #timers = new Map<number, { readonly at: number; readonly run: () => void }>();
  #last = 0;

  /** Replaces the runtime's timers until the function that it gives is called. */
  install(): () => void {
    const { setTimeout, clearTimeout } = globalThis;
    const { timeout } = AbortSignal;
    // Requests end as the schedule says, and a signal for each of some millions would be most of what there is to collect.
    const never = new AbortController().signal;
    AbortSignal.timeout = () => never;
    globalThis.setTimeout = ((run: () => void, ms = 0) => {
      this.#timers.set(++this.#last, { at: this.now + ms, run });
      return { unref() {}, id: this.#last };
    }) as never;
    globalThis.clearTimeout = ((timer?: { id: number }) => void (timer && this.#timers.delete(timer.id))) as never;
    return () => {
      AbortSignal.timeout = timeout;
      Object.assign(globalThis, { setTimeout, clearTimeout });
    };
  }

  /** When the next timer is due. */
  get next(): number | undefined {
    let next: number | undefined;
    for (const { at } of this.#timers.values()) if (next === undefined || at < next) next = at;
    return next;
  }

  /** Runs the timers that are due at the time that it now is. */
  fire(): void {
    for (const [id, { at, run }] of [...this.#timers]) {
      if (at <= this.now && this.#timers.delete(id)) run();
    }
  }
}
