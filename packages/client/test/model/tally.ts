/** What is hard to come to, and in what share of the schedules, in per cent, a search has to: one that seldom gets there shows little of it. */
const least = {
  "a crash before a commit": 2,
  "a crash after a commit, its answer lost": 2,
  "a crash after a commit, its answer on its way": 2,
  "a stream broken by a crash": 4,
  "a stream ended by a restart": 3,
  "a full disk": 3,
  "a broken disk": 3,
  "a stuck disk": 3,
  "a push past a stuck disk": 1,
  "the first pushes of several tabs, past a disk that does not work": 10,
  "tabs that begin in one moment": 5,
  "a tab killed with changes in memory alone": 0.7,
  "a tab closed with changes that its disk lacks": 0.7,
  "a stream taken over from a hidden tab": 3,
  "a stream taken over from a killed tab": 0.7,
  "a stream's news for several tabs": 12,
  "news of another device, shown in all tabs": 10,
  "a note, told": 3,
  "a request that hangs": 5,
  "a body that never ends": 2,
  "a gateway's refusal": 4,
  "a gateway's refusal for a month": 1.5,
  "a gateway's failure after a commit": 2,
  "a push too large for a gateway": 2,
  "a change too large for any request, told": 2,
  "a browser that keeps no cookie, and was told so": 5,
  "a page rendered by the server": 5,
  "a page rendered long before it is opened": 1,
  "a drag": 5,
  "processes of two versions at once": 10,
  "a change that waits for another version": 2,
  "a change that met another version's type, refused": 1,
  "a value of another version's type, migrated": 1,
  "values that a browser has adopted": 1,
};

export type Trouble = keyof typeof least;

/** So many schedules are enough to judge by: of fewer, a share is now and then too small by chance. */
const enough = 5000;

/** How many schedules have come to each trouble. */
export class Tally {
  #schedules = 0;
  readonly #reached = new Map<string, number>();

  add(reached: Iterable<Trouble>): void {
    this.#schedules++;
    for (const trouble of reached) this.#reached.set(trouble, (this.#reached.get(trouble) ?? 0) + 1);
  }

  /** The shares. Throws when one is too small. */
  report(): string {
    const shares = Object.entries(least).map(([trouble, atLeast]) => {
      const share = (100 * (this.#reached.get(trouble) ?? 0)) / this.#schedules;
      if (this.#schedules >= enough && share < atLeast) {
        throw new Error(`Only ${share} % of the schedules come to ${trouble}: the search shows little of that`);
      }
      return `${share.toFixed(1)} % ${trouble}`;
    });
    return `Of them come to ${shares.join(", ")}`;
  }
}
