import { setImmediate as turn } from "node:timers/promises";
import { SessionError } from "@catnap/shared";
import type { Commit, StoreKey, WriteResult } from "../store.ts";
import { assertSubjectText } from "../subject-text.ts";

/** A commit to a session. */
export type Change = readonly [key: StoreKey, commit: Commit];

interface Waiting {
  readonly change: Change;
  resolve(result: WriteResult): void;
  reject(error: unknown): void;
}

/**
 * Makes one transaction of the commits that come in one turn of the event loop, which costs each of them less than half of
 * what its own would. None is answered before the transaction is in.
 */
export class CommitGroups {
  readonly #apply: (changes: readonly Change[]) => Promise<readonly WriteResult[]>;
  #waiting: Waiting[] = [];

  /** `apply` writes all of some changes, or none. */
  constructor(apply: (changes: readonly Change[]) => Promise<readonly WriteResult[]>) {
    this.#apply = apply;
  }

  async write(key: StoreKey, commit: Commit): Promise<WriteResult> {
    if (commit.subject !== undefined) assertSubjectText(commit.subject);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change: [key, commit], resolve, reject });
      if (this.#waiting.length === 1) void turn().then(() => this.flush());
    });
  }

  /** Writes what waits, at once. */
  async flush(): Promise<void> {
    const group = this.#waiting;
    if (group.length === 0) return;
    this.#waiting = [];
    try {
      const results = await this.#apply(group.map(({ change }) => change));
      // As many as there are changes.
      for (const [i, { resolve }] of group.entries()) resolve(results[i] as WriteResult);
    } catch (error) {
      // Where the store is what fails, it fails all of them. One commit may be at fault, too, and then that one alone fails.
      const isCommon = group.length === 1 || SessionError.from(error)?.code === "STORE_UNAVAILABLE";
      for (const one of group) {
        if (isCommon) one.reject(error);
        else await this.#writeAlone(one);
      }
    }
  }

  async #writeAlone({ change, resolve, reject }: Waiting): Promise<void> {
    try {
      const [result] = await this.#apply([change]);
      resolve(result as WriteResult);
    } catch (error) {
      reject(error);
    }
  }
}
