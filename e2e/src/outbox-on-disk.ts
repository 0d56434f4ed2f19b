import type { Page } from "puppeteer-core";

/** A row of a tab's outbox: one change that was not acknowledged when it was written. */
export interface OutboxRow {
  readonly writer: string;
  readonly op: { readonly seq: number; readonly key: string };
}

/** The rows of all outboxes of this page's origin, and of the journals that ended pages have left. The page need not run the app. */
export function outboxOnDisk(page: Page): Promise<OutboxRow[]> {
  return page.evaluate(async () => {
    const settled = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const database = await settled(indexedDB.open("catnap:catnap"));
    const store = database.transaction("catnap").objectStore("catnap");
    const rows = await settled<OutboxRow[]>(store.getAll(IDBKeyRange.bound("op:", "op;")));
    database.close();
    const texts = Object.entries({ ...localStorage }).filter(([name]) => name.startsWith("catnap:catnap:journal:"));
    const journal = texts.flatMap(([, text]) => JSON.parse(String(text)) as [string, OutboxRow][]);
    return [...rows, ...journal.map(([, row]) => row)];
  });
}
