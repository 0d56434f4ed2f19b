import { UnreadableSession } from "./errors.ts";

/** How many lines a store writes at the most: whoever damages one session may have damaged a million. */
const most = 100;

/** Lines on the console about what no call can reject with, each once. */
export class RedisNotices {
  readonly #told = new Set<string>();

  tell(line: string): void {
    if (this.#told.has(line) || this.#told.size >= most) return;
    this.#told.add(line);
    console.warn(`catnap: ${line}${this.#told.size === most ? ". No more lines like this one" : ""}`);
  }

  /** For calls about many sessions: one that cannot be read is told of, and does not hold up the others. */
  async passing<T>(work: Promise<T>, instead: T): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof UnreadableSession)) throw error;
      this.tell(error.message);
      return instead;
    }
  }
}
