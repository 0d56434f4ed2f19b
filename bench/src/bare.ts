/** A database without Catnap, of one table, as the pages of the browser's figures use it. */
export function openBare(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(`bare ${name}`);
    request.onupgradeneeded = () => void request.result.createObjectStore("rows");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Puts rows by name in one transaction, and waits until it is complete. */
export async function putRows(database: IDBDatabase, rows: Iterable<readonly [string, string]>): Promise<void> {
  const writing = database.transaction("rows", "readwrite");
  for (const [name, row] of rows) writing.objectStore("rows").put(row, name);
  await new Promise((resolve) => {
    writing.oncomplete = resolve;
  });
}

/** All rows, in the order of their names. */
export async function getRows(database: IDBDatabase): Promise<unknown[]> {
  const request = database.transaction("rows").objectStore("rows").getAll();
  await new Promise((resolve) => {
    request.onsuccess = resolve;
  });
  return request.result;
}

/** All rows with their names. */
export async function getEntries(database: IDBDatabase): Promise<(readonly [IDBValidKey, unknown])[]> {
  const rows = database.transaction("rows").objectStore("rows");
  const [names, values] = [rows.getAllKeys(), rows.getAll()];
  await new Promise((resolve) => {
    values.onsuccess = resolve;
  });
  return names.result.map((name, n) => [name, values.result[n]]);
}
