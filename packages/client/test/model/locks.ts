/** Who may ask for a lock. */
interface Tab {
  readonly alive: boolean;
}

type Hold = () => Promise<unknown>;

/** A tab that has the lock or waits for it. */
interface Turn {
  readonly name: string;
  readonly tab: Tab | undefined;
  begin(): void;
}

/**
 * A browser's `navigator.locks`, as far as the client asks for it: exclusive locks, each in the order of asking. It is given
 * by the browser, not at once; whoever waits may leave the queue by its signal, whoever has it gives it back when its promise
 * settles, and the end of a tab does either.
 */
export class SimulatedLocks {
  /** Runs what is due. */
  readonly #defer: (task: () => void) => void;
  /** Told whenever a lock goes from one tab to the next. */
  readonly #passed: (name: string, from: Tab | undefined) => void;
  /** The first of each name has the lock. */
  readonly #turns: Turn[] = [];

  constructor(defer: (task: () => void) => void, passed: (name: string, from: Tab | undefined) => void) {
    this.#defer = defer;
    this.#passed = passed;
  }

  /** What a tab takes for `navigator.locks`; what it is told waits until it is there to hear it. */
  manager(tabAtHand: () => Tab | undefined, whenThere: (task: () => void) => void): Pick<LockManager, "request"> {
    const request = (name: string, ...[first, second]: [Hold] | [LockOptions, Hold]) =>
      new Promise((resolve, reject) => {
        const [{ signal }, hold] = typeof first === "function" ? [{} as LockOptions, first] : [first, second as Hold];
        if (!tabAtHand()?.alive) return;
        const end = () => {
          this.#leave(turn);
          reject(signal?.reason);
        };
        const turn: Turn = {
          name,
          tab: tabAtHand(),
          begin: () => {
            signal?.removeEventListener("abort", end);
            const held = () => hold().finally(() => this.#leave(turn));
            whenThere(() => void held().then(resolve, reject));
          },
        };
        signal?.addEventListener("abort", end);
        this.#turns.push(turn);
        if (this.#first(name) === turn) this.#give(name);
      });
    return { request: request as LockManager["request"] };
  }

  /** The tab has ended. */
  release(tab: Tab): void {
    for (const turn of this.#turns.filter((one) => one.tab === tab)) this.#leave(turn);
  }

  #first(name: string): Turn | undefined {
    return this.#turns.find((turn) => turn.name === name);
  }

  #leave(turn: Turn): void {
    const { name, tab } = turn;
    const had = this.#first(name) === turn;
    if (!this.#turns.includes(turn)) return;
    this.#turns.splice(this.#turns.indexOf(turn), 1);
    if (!had || !this.#first(name)) return;
    this.#passed(name, tab);
    this.#give(name);
  }

  #give(name: string): void {
    const turn = this.#first(name);
    this.#defer(() => {
      if (this.#first(name) === turn) turn?.begin();
    });
  }
}
