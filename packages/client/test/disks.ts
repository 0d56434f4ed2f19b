import { IDBObjectStore } from "fake-indexeddb";
import { onTestFinished, vi } from "vitest";
import type { Browser } from "./world.ts";

/** What a browser whose IndexedDB is of no use has in its place. */
export const useless: {
  readonly [how in "missing" | "refused" | "failing" | "hanging"]: () => IDBFactory | undefined;
} = {
  missing: () => undefined,
  refused: () =>
    ({
      open: () => {
        throw new DOMException("denied", "SecurityError");
      },
    }) as never,
  failing: () =>
    ({
      open() {
        const request = { onerror: () => {}, error: new DOMException("no", "UnknownError") };
        setTimeout(() => request.onerror());
        return request;
      },
    }) as never,
  hanging: () => ({ open: () => ({}) }) as never,
};

/** A disk that opens when the test says so. */
export function openedLate({ indexedDB }: Browser): { release: () => void; readonly indexedDB: IDBFactory } {
  const late = {
    release: () => {},
    indexedDB: {
      open(name: string) {
        const request: Partial<IDBOpenDBRequest> = {};
        late.release = () => {
          const real = indexedDB.open(name);
          real.onsuccess = (event) =>
            request.onsuccess?.call(Object.assign(request as IDBOpenDBRequest, { result: real.result }), event);
        };
        return request;
      },
    } as IDBFactory,
  };
  return late;
}

/** Every disk refuses this, until the function that it gives is called, or the test is over. */
export function refuse(what: "put" | "openCursor"): () => void {
  const refused = vi.spyOn(IDBObjectStore.prototype, what).mockImplementation(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
  const restore = () => void refused.mockRestore();
  onTestFinished(restore);
  return restore;
}
