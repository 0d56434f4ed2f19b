/** Those who hear of one kind of event. */
export type Listeners<E> = Set<(event: E) => void>;

/** Adds a listener. Gives the function that ends it. */
export function listen<E>(all: Listeners<E>, listener: (event: E) => void): () => void {
  // A function of its own: the same listener may be added twice, and each takes back only its own.
  const own = (event: E) => listener(event);
  all.add(own);
  return () => void all.delete(own);
}

/** Calls an app's function; what it throws is reported as uncaught and does not stop the caller. */
export function call(run: () => void): void {
  try {
    run();
  } catch (error) {
    report(error);
  }
}

/** Reports an error as uncaught: it is the app's to see, and stops nothing here. */
export function report(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
