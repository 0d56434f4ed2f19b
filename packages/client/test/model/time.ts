/** The simulation's clock and timers, in the place of the runtime's while a schedule runs. */
export class SimulatedTime {
  now = 1_700_000_000_000;
  #timers = new Map<number, { readonly at: number; readonly run: () => void }>();
  #last = 0;

  /** Replaces the runtime's timers until the function that it gives is called. */
  install(): () => void {
    const { setTimeout, clearTimeout } = globalThis;
    const { timeout } = AbortSignal;
    const wait = (at: number, run: () => void) => this.#timers.set(++this.#last, { at, run });
    AbortSignal.timeout = (ms) => {
      const at = this.now + ms;
      // As much of a signal as the simulated network looks at, and that only where a request hangs: a whole one for each of some
      // millions would be most of what there is to collect.
      return { addEventListener: (_: "abort", run: () => void) => wait(at, run) } as never;
    };
    globalThis.setTimeout = ((run: () => void, ms = 0) => {
      wait(this.now + ms, run);
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
