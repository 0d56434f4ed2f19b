import { after, type Cancel, isSessionError } from "@catnap/shared";

/** How often a session is looked at whose store says nothing by itself, and how often one whose store does, in milliseconds. */
const lookMs = 5_000;
const watchedLookMs = 30_000;

/** The session that a subscription of the application's follows. */
export interface Living {
  /** Calls back when the session may have changed; absent where the store cannot tell, or there is no session. */
  watch?(listener: () => void): () => void;
  /** Looks at the session. Gives when it expires, in milliseconds from now; throws when it has ended. */
  look(): Promise<number>;
  /** Is told of an error that no reader is left to be told of. */
  report(error: unknown): void;
}

/**
 * Gives what a subscription yields, for as long as its session lives. The session is read anew whenever it has changed. When it
 * has ended, this throws what `look` throws. While the store cannot be reached the subscription goes on.
 */
export async function* following(items: AsyncIterable<unknown>, living: Living): AsyncGenerator<unknown> {
  const iterator = items[Symbol.asyncIterator]();
  const watch = new Watch(living);
  try {
    for (;;) {
      const step = await watch.during(iterator.next());
      if (step.done) return step.value;
      yield step.value;
    }
  } finally {
    watch.stop();
    const end = Promise.resolve(iterator.return?.());
    // What the subscription writes as its reader leaves is still committed. Of a session that has ended nothing is, and a
    // subscription that waits for what never comes would never end.
    if (watch.hasEnded) end.catch((error: unknown) => living.report(error));
    else await end;
  }
}

class Watch {
  readonly #living: Living;
  readonly #unwatch: (() => void) | undefined;
  #cancel: Cancel | undefined;
  #fail: ((error: unknown) => void) | undefined;
  #failure: { readonly error: unknown } | undefined;
  #looking = false;
  #again = false;
  #stopped = false;

  constructor(living: Living) {
    this.#living = living;
    this.#unwatch = living.watch?.(() => void this.#look());
    this.#cancel = after(0, () => void this.#look(), true);
  }

  get hasEnded(): boolean {
    return this.#failure !== undefined;
  }

  /** Gives what comes, or throws when the session ends before it does. */
  during<T>(next: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#fail = reject;
      if (this.#failure) reject(this.#failure.error);
      next.then(resolve, reject);
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#unwatch?.();
  }

  async #look(): Promise<void> {
    this.#again = this.#looking;
    if (this.#looking || this.#stopped) return;
    this.#looking = true;
    this.#cancel?.();
    try {
      const leftMs = await this.#living.look();
      this.#lookIn(Math.min(leftMs, this.#unwatch ? watchedLookMs : lookMs));
    } catch (error) {
      if (isSessionError(error, "STORE_UNAVAILABLE")) this.#lookIn(lookMs);
      else {
        this.#failure = { error };
        this.#fail?.(error);
        this.stop();
      }
    } finally {
      this.#looking = false;
      if (this.#again) void this.#look();
    }
  }

  #lookIn(ms: number): void {
    if (!this.#stopped) this.#cancel = after(ms, () => void this.#look(), true);
  }
}
