import type { BrowserContext, Page } from "@playwright/test";
import { ShopPage } from "../src/shop-page.ts";
import type { ShopServer } from "../src/shop-server.ts";
import { SlowWay } from "../src/slow-way.ts";
import { test as base, expect } from "../src/test.ts";
import { keepAsking, keepBusy, recorded, recordNote } from "../src/typing-script.ts";

/** One session on three pages, each call of which takes 700 ms to the server and back. */
interface Desk {
  /** Where the user types. It pushes and pulls all the time. */
  readonly here: ShopPage;
  /** Another tab of the same browser. It changes other keys all the time. */
  readonly sibling: ShopPage;
  /** Another browser. It does both. */
  readonly device: ShopPage;
}

const test = base.extend<{ way: SlowWay; desk: Desk }>({
  way: async ({ server }, use) => {
    const way = await SlowWay.to(server.url);
    await use(way);
    way.close();
  },
  desk: async ({ browser, context, way }, use) => {
    const open = async (from: BrowserContext) => new ShopPage(await from.newPage()).open(way.url);
    const [sibling, elsewhere] = [await open(context), await browser.newContext()];
    await sibling.focusAgain();
    await sibling.synced();
    await elsewhere.addCookies(await context.cookies());
    const [device, here] = await Promise.all([open(elsewhere), open(context)]);
    await sibling.page.evaluate(keepBusy, "lamp");
    await device.page.evaluate(keepBusy, "socks");
    for (const { page } of [device, here]) await page.evaluate(keepAsking);
    for (const name of ["Moon lamp", "Bed socks"]) await expect(here.count(name)).toBeVisible();
    await here.note.focus();
    way.ms = 700;
    await use({ here, sibling, device });
    await elsewhere.close();
  },
});

/** 35 ms a key. */
const type = (page: Page, text: string) => page.keyboard.type(text, { delay: 35 });

async function press(page: Page, key: string, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await page.keyboard.press(key);
}

/** What the note shows while a text is typed between two others, its caret as "|". */
const letterByLetter = (before: string, text: string, after = "") =>
  Array.from(text, (_, i) => `${before}${text.slice(0, i + 1)}|${after}`);

/** The same, while the caret goes back from its end. */
const caretBack = (text: string, steps: number) =>
  Array.from({ length: steps }, (_, i) => `${text.slice(0, -i - 1)}|${text.slice(-i - 1)}`);

/** Resolves when the page has shown more of the other device's changes, and so of its sibling's. */
async function news({ here }: Desk): Promise<void> {
  const socks = here.count("Bed socks");
  await expect(socks).not.toHaveText((await socks.textContent()) ?? "");
}

const seen = async ({ here }: Desk) => (await here.page.evaluate(recorded)).seen;

/** In the end all have the same text. */
async function expectEverywhere(text: string, desk: Desk, server: ShopServer, context: BrowserContext): Promise<void> {
  for (const { note } of Object.values(desk) as ShopPage[]) await expect(note).toHaveValue(text);
  await expect.poll(() => server.held(context)).toMatchObject({ note: text });
}

test("what is typed stands letter by letter, with its caret and selection, while others change other keys", async ({
  context,
  desk,
  server,
}) => {
  const { page } = desk.here;
  await page.evaluate(recordNote);
  await type(page, "Please leave it the door");
  await press(page, "ArrowLeft", 8);
  await news(desk);
  await type(page, "behind ");
  await press(page, "End", 1);
  await press(page, "Shift+ArrowLeft", 4);
  await news(desk);
  await type(page, "tree");
  await expectEverywhere("Please leave it behind the tree", desk, server, context);
  expect(await seen(desk)).toEqual([
    "|",
    ...letterByLetter("", "Please leave it the door"),
    ...caretBack("Please leave it the door", 8),
    ...letterByLetter("Please leave it ", "behind ", "the door"),
    "Please leave it behind the door|",
    ...["doo[r]", "do[or]", "d[oor]", "[door]"].map((rest) => `Please leave it behind the ${rest}`),
    ...letterByLetter("Please leave it behind the ", "tree"),
  ]);
});

test("what the others write into the same text before is built upon, and what they write after it stands", async ({
  context,
  desk,
  server,
}) => {
  const { here, sibling, device } = desk;
  await device.changeAtOnce({ note: "From afar" });
  await expect(here.note).toHaveValue("From afar");
  await sibling.changeAtOnce({ note: "Ring" });
  // Only then does the sibling's own push leave: it arrives, and is told, while the user types.
  await expect(here.note).toHaveValue("Ring");
  await press(here.page, "Control+End", 1);
  await here.page.evaluate(recordNote);
  await sibling.focusAgain();
  await type(here.page, " twice, and wait for the cat to open");
  await expectEverywhere("Ring twice, and wait for the cat to open", desk, server, context);
  await device.changeAtOnce({ note: "No need" });
  await expectEverywhere("No need", desk, server, context);
  expect(await seen(desk)).toEqual([
    "Ring|",
    ...letterByLetter("Ring", " twice, and wait for the cat to open"),
    "No need|",
  ]);
});

test("news do not break off an input method's composition", { tag: "@chromium" }, async ({ context, desk, server }) => {
  const { page } = desk.here;
  await page.keyboard.type("<>");
  await press(page, "ArrowLeft", 1);
  await desk.here.page.evaluate(recordNote);
  const method = await context.newCDPSession(page);
  for (const text of ["k", "か", "かn", "かな", "仮名"]) {
    const [selectionStart, selectionEnd] = [text.length, text.length];
    await method.send("Input.imeSetComposition", { text, selectionStart, selectionEnd });
    if (text === "か" || text === "仮名") await news(desk);
  }
  await method.send("Input.insertText", { text: "仮名" });
  await type(page, "!");
  expect(await page.evaluate(recorded)).toEqual({
    seen: ["<|>", "<k|>", "<か|>", "<かn|>", "<かな|>", "<仮名|>", "<仮名!|>"],
    composed: ["compositionstart: ", "compositionend: 仮名"],
  });
  await expectEverywhere("<仮名!>", desk, server, context);
});
