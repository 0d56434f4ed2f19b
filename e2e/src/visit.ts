import type { Browser, Page } from "puppeteer-core";
import { outboxOnDisk } from "./outbox-on-disk.ts";
import { cookieOf, expect, freeze, shows } from "./puppeteer-test.ts";
import { changeAtOnce, focusAgain, readValues } from "./shop-script.ts";
import type { ShopServer } from "./shop-server.ts";
import { locate, type Places } from "./tally.ts";
import type { Wire } from "./wire.ts";

/** The keys that changes are made to: a counter, a list that is merged by its lines, a text of which the last stands. */
const keys = ["purrs", "cart", "note"];
/** What goes into the cart in turn, since it holds 99 of each. */
const skus = ["blanket", "mask", "pillow", "tea", "lamp", "bottle", "socks", "rain", "clock"];

/** A visitor of the shop who goes on through round after round of trouble, and knows what they have changed. */
export class Visit {
  readonly server: ShopServer;
  readonly wire: Wire;
  /** The tab with the shop; after a trouble it may be gone. */
  page: Page;
  readonly #chromium: Browser;
  /** A tab of the same origin that runs nothing of the shop's, and sees what is on disk. */
  readonly #witness: Page;
  #identifier = "";
  #cookie = "";
  #expected = { visits: 1, purrs: 0, note: "", carted: new Map<string, number>() };
  #before = this.#expected;
  /** Changes of this round so far. */
  #made = 0;
  #round = { number: 0, patient: false, crossed: 0 };

  private constructor(chromium: Browser, server: ShopServer, wire: Wire, witness: Page, page: Page) {
    this.#chromium = chromium;
    this.server = server;
    this.wire = wire;
    this.#witness = witness;
    this.page = page;
  }

  static async begin(chromium: Browser, server: ShopServer, wire: Wire): Promise<Visit> {
    const witness = await chromium.newPage();
    await witness.goto(`${wire.url}/assets/`);
    const page = await chromium.newPage();
    await page.goto(wire.url);
    await shows(page, "Synced");
    const visit = new Visit(chromium, server, wire, witness, page);
    const identifier = await page.waitForSelector("[data-testid=identifier]");
    visit.#identifier = (await identifier?.evaluate((shown) => shown.textContent)) ?? "";
    visit.#cookie = await cookieOf(chromium);
    return visit;
  }

  /** From here on changes are of this round. With `patient` tabs each push waits until its tab is idle. */
  beginRound(number: number, patient: boolean): void {
    this.#round = { number, patient, crossed: this.wire.responses.length };
    this.#made = 0;
    this.#before = { ...this.#expected, carted: new Map(this.#expected.carted) };
  }

  /** Another tab with the shop, when it has read the disk, has asked the server, even if in vain, and shows every change. */
  async open(): Promise<Page> {
    const page = await this.#chromium.newPage();
    await page.goto(this.wire.url);
    this.#expected.visits++;
    await page.waitForSelector("[data-state=synced], [data-state=offline]");
    await expect.poll(async () => (await page.evaluate(readValues)).purrs).toBe(this.#expected.purrs);
    return page;
  }

  async openAgain(): Promise<void> {
    this.page = await this.open();
  }

  /** Three changes in one task, or two without the note, with no wait before what follows. */
  async change(withNote = true, page = this.page): Promise<void> {
    const note = withNote ? `Round ${this.#round.number}` : undefined;
    await page.evaluate(changeAtOnce, { sku: this.#sku, note });
    this.#expected.purrs++;
    this.#expected.carted.set(this.#sku, this.#lines(this.#expected) + 1);
    if (note !== undefined) this.#expected.note = note;
    this.#made += note === undefined ? 2 : 3;
  }

  /** Lets a tab push what was just changed: by itself, after a second, or at once. */
  async push(): Promise<void> {
    if (!this.#round.patient) await this.focus();
  }

  focus(page = this.page): Promise<void> {
    return page.evaluate(focusAgain);
  }

  freeze(): Promise<() => Promise<void>> {
    return freeze(this.page, this.#witness);
  }

  /** Where this round's changes are, while nothing gets through. What the server holds must be what its watermarks say. */
  async look(): Promise<Places> {
    const find = async () => {
      const [rows, watermarks] = [await outboxOnDisk(this.#witness), await this.server.watermarks(this.#identifier)];
      const crossed = this.wire.responses.slice(this.#round.crossed);
      return locate({ made: this.#made, keys, rows, crossed, watermarks });
    };
    let found = await find();
    // What a tab has written as it died takes a moment to be seen by others; what follows a change of the same key, 200 ms.
    const until = Date.now() + 1_000;
    while (found.places.lost !== 0 && Date.now() < until) found = await find();
    const { places, inServer } = found;
    const before = this.#before;
    const { visits: _, ...held } = await this.#held();
    expect(held, "what the server holds, by its watermarks").toEqual({
      purrs: before.purrs + (inServer.purrs ?? 0),
      lines: this.#lines(before) + (inServer.cart ?? 0),
      note: inServer.note ? this.#expected.note : before.note,
    });
    return places;
  }

  /** Waits until the tab shows every change once, and the server and the disk say so too, also after what comes late. */
  async settled(): Promise<void> {
    const { visits, purrs, note } = this.#expected;
    const lines = this.#lines(this.#expected);
    await shows(this.page, "Synced");
    await expect.poll(() => this.#shown(), "what the tab shows").toEqual({ purrs, note, lines });
    await this.wire.deliverLate();
    await expect.poll(() => this.#held(), "what the server holds").toEqual({ visits, purrs, note, lines });
    await expect.poll(() => outboxOnDisk(this.#witness), "what is left in outboxes").toEqual([]);
  }

  get #sku(): string {
    return skus[this.#round.number % skus.length] ?? "";
  }

  #lines({ carted }: { carted: ReadonlyMap<string, number> }): number {
    return carted.get(this.#sku) ?? 0;
  }

  async #shown(): Promise<object> {
    const { cart, visits: _, ...shown } = await this.page.evaluate(readValues);
    return { ...shown, lines: cart[this.#sku] ?? 0 };
  }

  async #held() {
    // What the shop's session has, by its definition, of which what was never set is absent.
    const held = (await this.server.held(this.#cookie)) as Partial<Held>;
    const { visits = 0, purrs = 0, note = "", cart = [] } = held;
    return { visits, purrs, note, lines: cart.find(({ sku }) => sku === this.#sku)?.count ?? 0 };
  }
}

interface Held {
  readonly visits: number;
  readonly purrs: number;
  readonly note: string;
  readonly cart: readonly { readonly sku: string; readonly count: number }[];
}
