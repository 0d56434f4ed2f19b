import type { Deadline } from "../deadline.ts";

/** How long the database's clock is believed to go as ours does, in milliseconds. */
const believedMs = 600_000;

/** A look at the database's clock: what it was, in epoch milliseconds, and when it was asked, by `performance.now()`. */
export interface Look {
  readonly now: number;
  readonly sentAt: number;
}

/**
 * What a deadline is by the database's clock, for statements that a network may deliver much later. It is measured when
 * the first call looks at the version, every ten minutes, since clocks drift, and whenever the database has refused a
 * statement for being late, since its clock may have been set.
 */
export class DatabaseClock {
  readonly #ask: (deadline: Deadline) => Promise<Look>;
  #ahead = 0;
  #measuredAt = Number.NEGATIVE_INFINITY;
  #measuring: Promise<void> | undefined;

  constructor(ask: (deadline: Deadline) => Promise<Look>) {
    this.#ask = ask;
  }

  /**
   * Notes what the database's clock was between `sentAt` and now. Taken for the former: a statement is then refused later
   * than its deadline, by a round trip at most, and never before it.
   */
  set({ now, sentAt }: Look): void {
    this.#ahead = now - sentAt;
    this.#measuredAt = sentAt;
  }

  /** It is to be asked again. */
  doubt(): void {
    this.#measuredAt = Number.NEGATIVE_INFINITY;
  }

  /** The deadline by the database's clock. */
  async at(deadline: Deadline): Promise<number> {
    if (performance.now() - this.#measuredAt > believedMs) {
      this.#measuring ??= this.#ask(deadline)
        .then((look) => this.set(look))
        .finally(() => {
          this.#measuring = undefined;
        });
      await this.#measuring;
    }
    return deadline.at + this.#ahead;
  }
}
