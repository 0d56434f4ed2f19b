import type { Page } from "@playwright/test";

/** Hides the page: the events, and what the document says of itself, as when the user switches to another tab. */
export function hide(page: Page): Promise<void> {
  return page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    window.dispatchEvent(new Event("blur"));
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
  });
}

/** Shows the page again, as when the user comes back to its tab. */
export function show(page: Page): Promise<void> {
  return page.evaluate(() => {
    // What hides the document's own answers, which under Playwright are those of a visible page.
    Reflect.deleteProperty(document, "visibilityState");
    Reflect.deleteProperty(document, "hidden");
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
    window.dispatchEvent(new Event("focus"));
  });
}
