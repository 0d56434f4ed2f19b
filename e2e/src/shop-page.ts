import { expect, type Locator, type Page } from "@playwright/test";
import { addAndCheckOut, changeAtOnce, focusAgain, readValues, type ShownValues } from "./shop-script.ts";

/** The demo's page, in the words of its visitors. */
export class ShopPage {
  readonly page: Page;
  readonly status: Locator;
  readonly note: Locator;
  readonly purrs: Locator;
  readonly total: Locator;
  readonly visits: Locator;

  constructor(page: Page) {
    this.page = page;
    this.status = page.getByTestId("status");
    this.note = page.getByLabel("A note for the parcel");
    this.purrs = page.getByRole("button", { name: "Pet the cat" }).locator(".count");
    this.total = page.getByTestId("total");
    this.visits = page.getByTestId("visits");
  }

  /** Opens the shop (again) and waits until the session in the page is awake: before that a click is nobody's. */
  async open(url = "/"): Promise<this> {
    await this.page.goto(url);
    await this.awake();
    return this;
  }

  async reload(): Promise<void> {
    await this.page.reload();
    await this.awake();
  }

  async awake(): Promise<void> {
    await expect(this.status).not.toHaveText("Asleep");
  }

  async synced(): Promise<void> {
    await expect(this.status).toHaveText("Synced");
  }

  add(name: string): Promise<void> {
    return this.page.getByRole("button", { name: `Add ${name} to the cart` }).click();
  }

  /** The number of this product in the cart. */
  count(name: string): Locator {
    return this.page.getByLabel(`${name}: how many`);
  }

  /** Types into the empty note. By keys: what `fill` does to a textarea in Firefox, React takes for no change. */
  write(text: string): Promise<void> {
    return this.note.pressSequentially(text);
  }

  purr(): Promise<void> {
    return this.page.getByRole("button", { name: "Pet the cat" }).click();
  }

  switchTheme(): Promise<void> {
    return this.page.getByRole("switch", { name: "Dark theme" }).click();
  }

  async showsTheme(theme: "light" | "dark"): Promise<void> {
    await expect(this.page.locator("html")).toHaveAttribute("data-theme", theme);
  }

  /** Several changes in one task. */
  changeAtOnce(changes: { sku?: string | undefined; note?: string }): Promise<void> {
    return this.page.evaluate(changeAtOnce, changes);
  }

  /** Adds a product to a cart that holds something, and checks out, in one task. */
  addAndCheckOut(sku: string): Promise<void> {
    return this.page.evaluate(addAndCheckOut, sku);
  }

  /** Makes the tab push and pull now. */
  focusAgain(): Promise<void> {
    return this.page.evaluate(focusAgain);
  }

  values(): Promise<ShownValues> {
    return this.page.evaluate(readValues);
  }

  async logIn(name: string): Promise<void> {
    await this.page.getByLabel("Your name").fill(name);
    await this.page.getByRole("button", { name: "Log in" }).click();
    await expect(this.page.getByRole("heading", { name: `Good evening, ${name}` })).toBeVisible();
  }

  async logOut(): Promise<void> {
    await this.page.getByRole("button", { name: "Log out" }).click();
    await expect(this.page.getByRole("heading", { name: "Log in" })).toBeVisible();
  }

  /** The session's public identifier, as the page's ledger shows it. */
  async identifier(): Promise<string> {
    const shown = this.page.getByTestId("identifier");
    await expect(shown).toHaveText(/^[\w-]{22,80}$/);
    return shown.innerText();
  }

  /** Everything that the page's origin keeps: all rows of all IndexedDB databases, and localStorage, as text. */
  kept(): Promise<{ databases: string; local: string }> {
    return this.page.evaluate(async () => {
      const settled = <T>(request: IDBRequest<T>) =>
        new Promise<T>((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const rows: unknown[] = [];
      for (const { name = "" } of await indexedDB.databases()) {
        const database = await settled(indexedDB.open(name));
        for (const table of database.objectStoreNames) {
          const store = database.transaction(table).objectStore(table);
          rows.push(name, table, await settled(store.getAllKeys()), await settled(store.getAll()));
        }
        database.close();
      }
      return { databases: JSON.stringify(rows), local: JSON.stringify({ ...localStorage, ...sessionStorage }) };
    });
  }
}
