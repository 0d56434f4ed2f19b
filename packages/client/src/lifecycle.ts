/** The two event targets of a page. */
export interface Page {
  readonly document: EventTarget & { readonly visibilityState: string };
  readonly window: EventTarget;
}

/**
 * Tells when the page comes and goes, until `signal` aborts. `asleep` may run several times for one departure: the
 * order of the events differs between browsers, and none of them is certain to come. It is told whether the page is
 * `leaving`, into the back/forward cache perhaps, and not just hidden. No `unload` listener, which would cost that cache.
 */
export function watchPage(
  { document, window }: Page,
  awake: (reason: string) => void,
  asleep: (leaving: boolean) => void,
  signal: AbortSignal,
): void {
  const on = (target: EventTarget, names: string, listener: (event: Event) => void) => {
    for (const name of names.split(" ")) target.addEventListener(name, listener, { signal });
  };
  const wake = ({ type }: Event) => awake(type);
  on(document, "visibilitychange", (event) => (document.visibilityState === "hidden" ? asleep(false) : wake(event)));
  on(document, "freeze", () => asleep(false));
  on(document, "resume", wake);
  on(window, "pagehide", () => asleep(true));
  on(window, "pageshow focus online", wake);
}
