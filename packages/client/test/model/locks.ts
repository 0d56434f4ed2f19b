/** Who may ask for a lock. */
interface Tab {
  readonly alive: boolean;
}

/** A tab that has the lock or waits for it. */
interface Turn {
  readonly tab: Tab | undefined;
  begin(): void;
}

/**
 * A browser's `navigator.locks`, as far as the client asks for it: one lock, exclusive, in the order of asking. It is given
 * by the browser, not at once; whoever waits may leave the queue by its signal, whoever has it gives it back when its promise
 * settles, and the end of a tab does either.
 */
export class SimulatedLocks {
  /** Runs what is due. */
  readonly #defer: (task: () => void) => void;
  /** Told whenever the lock goes from one tab to the next. */
  readonly #passed: (from: Tab | undefined) => void;
  /** The first has the lock. */
  readonly #turns: Turn[] = [];

  constructor(defer: (task: () => void) => void, passed: (from: Tab | undefined) => void) {
    this.#defer = defer;
    this.#passed = passed;
  }

  /** What a tab takes for `navigator.locks`; what it is told waits until it is there to hear it. */
  manager(tabAtHand: () => Tab | undefined, whenThere: (task: () => void) => void): Pick<LockManager, "request"> {
    const request = (_: string, { signal }: LockOptions, hold: () => Promise<unknown>) =>
      new Promise<void>((_resolve, reject) => {
        let begun = false;
        const turn: Turn = {
          tab: tabAtHand(),
          begin: () => {
            begun = true;
            whenThere(() => void hold().then(() => this.#leave(turn)));
          },
        };
        signal?.addEventListener("abort", () => {
          if (begun) return;
          this.#leave(turn);
          reject(signal.reason);
        });
        this.#turns.push(turn);
        if (this.#turns.length === 1) this.#give();
      });
    return { request: request as LockManager["request"] };
  }

  /** The tab has ended. */
  release(tab: Tab): void {
    for (const turn of this.#turns.filter((one) => one.tab === tab)) this.#leave(turn);
  }

  #leave(turn: Turn): void {
    const at = this.#turns.indexOf(turn);
    if (at < 0) return;
    this.#turns.splice(at, 1);
    if (at > 0 || this.#turns.length === 0) return;
    this.#passed(turn.tab);
    this.#give();
  }

  #give(): void {
    const [turn] = this.#turns;
    if (!turn) return;
    this.#defer(() => {
      if (this.#turns[0] === turn) turn.begin();
    });
  }
}
