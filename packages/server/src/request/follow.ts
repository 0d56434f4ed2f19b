import { after, type Cancel } from "@catnap/shared";

/** How often a session is looked at whose store says nothing by itself, and how often one whose store does, in milliseconds. */
const lookMs = 5_000;
const watchedLookMs = 30_000;

/** A session as what an application's subscription goes on for as long as it lives. */
export interface Living {
  /** Calls back when the session may have changed; absent where the store cannot tell, or there is no session. */
  watch?(listener: () => void): () => void;
  /** Looks at the session. Gives when it expires, in milliseconds from now; throws when it has ended. */
  look(): Promise<number>;
}

/**
 * What a subscription yields, for as long as its session lives: what it reads is looked at anew whenever it has changed,
 * and when the session has ended, so does the subscription, by what `look` throws.
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
    // Where it waits for something that never comes it would never end.
    void Promise.resolve(iterator.return?.()).catch(() => undefined);
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
      const most = this.#unwatch ? watchedLookMs : lookMs;
      if (!this.#stopped) this.#cancel = after(Math.min(leftMs, most), () => void this.#look(), true);
    } catch (error) {
      this.#failure = { error };
      this.#fail?.(error);
      this.stop();
    } finally {
      this.#looking = false;
      if (this.#again) void this.#look();
    }
  }
}
