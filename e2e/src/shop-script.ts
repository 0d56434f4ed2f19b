// Functions that tests hand to the demo's page to run there, so that they may use nothing from outside themselves.

/** What of the visitor's values the page shows. */
export interface ShownValues {
  readonly visits: number;
  readonly purrs: number;
  readonly note: string;
  /** How many of each product. */
  readonly cart: Readonly<Record<string, number>>;
}

/** Pets the cat and, where they are given, adds a product and writes the note, in one task: faster than any hand. */
export function changeAtOnce({ sku, note }: { sku?: string | undefined; note?: string | undefined }): void {
  document.querySelector<HTMLElement>("button.cat")?.click();
  document.querySelector<HTMLElement>(`.tile[data-sku="${sku}"] button`)?.click();
  if (note === undefined) return;
  const area = document.querySelector("textarea");
  // Past React's own setter, or React takes the event for no change.
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value")?.set?.call(area, note);
  area?.dispatchEvent(new Event("input", { bubbles: true }));
}

/** Adds a product and checks out, in one task: nothing of it has been sent before. */
export function addAndCheckOut(sku: string): void {
  document.querySelector<HTMLElement>(`.tile[data-sku="${sku}"] button`)?.click();
  document.querySelector<HTMLElement>(".checkout button")?.click();
}

/** Makes the page push and pull now, as it does when somebody comes back to it: of several focuses in a second only one counts. */
export function focusAgain(): void {
  window.dispatchEvent(new Event("online"));
}

export function readValues(): ShownValues {
  const number = (selector: string) => Number(document.querySelector(selector)?.textContent ?? Number.NaN);
  const lines = [...document.querySelectorAll<HTMLElement>(".lines [data-sku]")];
  return {
    visits: number("[data-testid=visits]"),
    purrs: number(".cat .count"),
    note: document.querySelector("textarea")?.value ?? "",
    cart: Object.fromEntries(
      lines.map((line) => [line.dataset.sku ?? "", Number(line.querySelector("output")?.textContent)]),
    ),
  };
}
