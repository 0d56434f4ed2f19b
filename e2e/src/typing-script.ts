// Functions that tests hand to the demo's page to run there, so that they may use nothing from outside themselves.

/**
 * Begins to record what the page's note shows: the text with its caret, "wak|e", or its selection, "w[ak]e", each time that it
 * differs from what was before. It looks at each frame, after each event of typing, and when a script sets the text.
 */
export function recordNote(): void {
  const area = document.querySelector("textarea") as HTMLTextAreaElement;
  const [seen, composed]: [string[], string[]] = [[], []];
  const look = () => {
    const { value, selectionStart: start, selectionEnd: end } = area;
    const between = start === end ? "|" : `[${value.slice(start, end)}]`;
    const shown = value.slice(0, start) + between + value.slice(end);
    if (shown !== seen.at(-1)) seen.push(shown);
  };
  Object.assign(window, { seen, composed });
  // React has put a property of its own there, and goes by what it hears from that.
  const own = Object.getOwnPropertyDescriptor(area, "value") as PropertyDescriptor;
  Object.defineProperty(area, "value", {
    configurable: true,
    get: () => own.get?.call(area),
    set(next) {
      own.set?.call(area, next);
      look();
    },
  });
  for (const type of ["input", "selectionchange", "keyup"]) document.addEventListener(type, look);
  for (const type of ["compositionstart", "compositionend"]) {
    area.addEventListener(type, (event) => composed.push(`${type}: ${(event as CompositionEvent).data}`));
  }
  const frame = () => {
    look();
    requestAnimationFrame(frame);
  };
  frame();
}

/** What `recordNote` has seen so far. */
export function recorded(): { seen: string[]; composed: string[] } {
  const { seen, composed } = window as unknown as { seen: string[]; composed: string[] };
  return { seen, composed };
}

/** From now on somebody pets the cat in this page, and adds a product, several times a second. */
export function keepBusy(sku: string): void {
  setInterval(() => document.querySelector<HTMLElement>("button.cat")?.click(), 100);
  setInterval(() => document.querySelector<HTMLElement>(`.tile[data-sku="${sku}"] button`)?.click(), 250);
}

/** From now on the page pushes and pulls all the time, as it does when it is online again. */
export function keepAsking(): void {
  setInterval(() => window.dispatchEvent(new Event("online")), 250);
}
