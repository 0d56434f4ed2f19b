import type { RequestInfo } from "../exchange/exchange.ts";

type Callable = (...args: unknown[]) => unknown;

/** Puts a function around a call's procedure; does nothing where there is none to call. */
export function wrapCall(call: RequestInfo["calls"][number], around: (inner: () => unknown) => Promise<unknown>): void {
  if (typeof call.procedure !== "function") return;
  const inner = call.procedure as Callable;
  call.procedure = Object.assign((...args: unknown[]) => around(() => inner(...args)), inner);
}

/**
 * Tells when every call of a batch has either handed its changes over or ended, so that they are committed once, before
 * any of them answers. tRPC runs the calls of a batch side by side and has no hook for "all but the answers": the calls'
 * procedures are wrapped to see each one end. Calls that were not wrapped (another tRPC, another adapter) are counted as
 * they come and go instead, which may cost a commit more, never a change.
 */
export class Barrier {
  #running = 0;
  #waiting = 0;
  #release: (() => void) | null = null;
  #all: Promise<void> | null = null;
  readonly #counted: boolean;

  constructor(info: RequestInfo | undefined) {
    const calls = info?.isBatchCall ? info.calls.filter((call) => typeof call.procedure === "function") : [];
    this.#counted = calls.length > 0;
    for (const call of calls) {
      this.#running++;
      wrapCall(call, async (inner) => {
        try {
          return await inner();
        } finally {
          this.#running--;
          this.#check();
        }
      });
    }
  }

  enter(): void {
    if (!this.#counted) this.#running++;
  }

  leave(): void {
    if (this.#counted) return;
    this.#running--;
    this.#check();
  }

  /** Resolves once every call that still runs waits here as well. */
  async everyone(): Promise<void> {
    this.#waiting++;
    this.#all ??= new Promise((resolve) => {
      this.#release = resolve;
    });
    const all = this.#all;
    this.#check();
    await all;
  }

  #check(): void {
    if (this.#waiting < this.#running || !this.#release) return;
    const release = this.#release;
    this.#release = null;
    this.#all = null;
    this.#waiting = 0;
    release();
  }
}
