/** The two event targets of a page. */
export interface Page {
  readonly document: EventTarget & { readonly visibilityState: string; readonly readyState?: string };
  readonly window: EventTarget;
}

/** Each way into a frame of the page and back is a focus of it, and one of them a second is worth a question. */
const leastMs = 1_000;

/**
 * Tells when the page comes and goes, until what it gives is aborted. `asleep` may run several times for one departure: the
 * order of the events differs between browsers, and none of them is certain to come. It is told whether the page is
 * `leaving`, into the back/forward cache perhaps, and not just hidden. No `unload` listener, which would cost that cache. In a
 * page that was loaded before, `awake` is called at the end of the task.
 * `stored`: another tab has written to localStorage, and this one can read it.
 */
export function watchPage(
  { document, window }: Page,
  awake: () => void,
  asleep: (leaving: boolean) => void,
  stored: () => void,
): AbortController {
  const stop = new AbortController();
  /** When a focus has awoken the session last. */
  let focusedAt = -leastMs;
  const on = (target: EventTarget, names: string, listener: (event: Event) => void) => {
    for (const name of names.split(" ")) target.addEventListener(name, listener, { signal: stop.signal });
  };
  const leaveAtLast = () => asleep(true);
  const forget = () => window.removeEventListener("pagehide", leaveAtLast);
  on(document, "visibilitychange", () => {
    if (document.visibilityState !== "hidden") return awake();
    asleep(false);
    // Once more after the app's own handlers: a moment after a closing page's `pagehide` Firefox ends whichever script is running.
    forget();
    window.addEventListener("pagehide", leaveAtLast);
  });
  // By a signal of its own, each of these would leave something behind with it.
  stop.signal.onabort = forget;
  on(document, "freeze", () => asleep(false));
  on(document, "resume", awake);
  on(window, "pagehide", () => asleep(true));
  on(window, "pageshow online", awake);
  on(window, "storage", stored);
  on(window, "focus", ({ timeStamp }) => {
    if (timeStamp - focusedAt < leastMs) return;
    focusedAt = timeStamp;
    awake();
  });
  // None of these events is left to come. A client that is made and closed in one task stays closed.
  if (document.readyState === "complete") queueMicrotask(() => stop.signal.aborted || awake());
  return stop;
}
