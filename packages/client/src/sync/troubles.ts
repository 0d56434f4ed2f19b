import type { Problem } from "./sync-parts.ts";

/** What keeps rounds from succeeding, and what the console was told of it. */
export class Troubles {
  /** What somebody has to mend, until a round goes without. */
  problem: Problem | undefined;
  /** It is of the round under way. */
  #isFresh = false;
  readonly #said = new Set<string>();

  begin(): void {
    this.#isFresh = false;
  }

  /** A round has succeeded. */
  end(): void {
    if (!this.#isFresh) this.problem = undefined;
  }

  /** The same object as long as it is the same problem. */
  warn({ code, message }: Problem): void {
    if (this.problem?.message !== message) this.problem = { code, message };
    this.#isFresh = true;
    this.say(message);
  }

  /** Tells the console, once. */
  say(message: string): void {
    if (!this.#said.has(message)) console.warn(`catnap: ${message}`);
    this.#said.add(message);
  }
}
