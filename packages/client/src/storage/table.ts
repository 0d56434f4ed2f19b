import { after, type Cancel } from "@catnap/shared";
import { promisifyRequest, type UseStore } from "idb-keyval";

const table = "catnap";
/**
 * How long a database may take to open, or for a transaction, before the tab says that it works from memory; one that does
 * not open is asked once more.
 */
const patienceMs = 3_000;
/** At most so long after the last time. */
const longestMs = 60_000;

/** Where the tab's unsent changes are: safe on `disk`, in `memory` alone, or not known yet. */
export type StorageState = "disk" | "memory" | "opening";

/** A row and its name. */
export type Put = readonly [name: string, row: unknown];

/** Rows that are put only when the row `guard`, as it is by then, lets them pass. */
export interface GuardedPuts {
  readonly guard: string;
  readonly passes: (row: unknown) => boolean;
  readonly puts: readonly Put[];
}

/**
 * The tab's one table. Nothing here throws at once; a promise that rejects means that the disk failed, and the state
 * says so until something succeeds again.
 */
export class Table {
  storage: StorageState;
  readonly #factory: IDBFactory | undefined;
  readonly #name: string;
  readonly #changed: () => void;
  #db: IDBDatabase | undefined;
  #opening: Promise<IDBDatabase> | undefined;
  #timer: Cancel | undefined;
  /** How often it was closed. */
  #turn = 0;
  /** What was asked for and not answered. */
  #underWay = 0;
  #overdue: Cancel | undefined;

  constructor(factory: IDBFactory | undefined, name: string, changed: () => void) {
    this.#factory = factory;
    this.#name = name;
    this.#changed = changed;
    this.storage = factory ? "opening" : "memory";
  }

  /** All rows, in one read. */
  read(): Promise<[string, unknown][]> {
    // `entries` of idb-keyval does the same, and would bring a default store and a way for browsers without `getAll`.
    return this.#guard(
      this.#use("readonly", async (store) => {
        const [names, rows] = await Promise.all([
          promisifyRequest(store.getAllKeys()),
          promisifyRequest<unknown[]>(store.getAll()),
        ]);
        return names.map((name, i) => [String(name), rows[i]]);
      }),
    );
  }

  /** Puts and deletes in one transaction, started at once when the database is open, and committed without waiting; but for what waits for a look at one row. */
  write(puts: readonly Put[], deletes: readonly string[], guarded?: GuardedPuts): Promise<void> {
    return this.#change((store) => {
      for (const name of deletes) store.delete(name);
      for (const [name, row] of puts) store.put(row, name);
      if (!guarded) return store.transaction.commit?.();
      const request: IDBRequest<unknown> = store.get(guarded.guard);
      request.onsuccess = () => {
        if (guarded.passes(request.result)) for (const [name, row] of guarded.puts) store.put(row, name);
        store.transaction.commit?.();
      };
    });
  }

  /** Deletes what `keeps` does not hold for, in one pass and one transaction. */
  sift(keeps: (name: string, row: unknown) => boolean): Promise<void> {
    return this.#change((store) => {
      const request = store.openCursor();
      request.onsuccess = () => {
        const cursor = request.result;
        if (!cursor) return;
        if (!keeps(String(cursor.key), cursor.value)) cursor.delete();
        cursor.continue();
      };
    });
  }

  close(): void {
    this.#turn++;
    this.#timer?.();
    this.#overdue?.();
    this.#overdue = undefined;
    this.#db?.close();
    this.#db = this.#opening = undefined;
  }

  #change(work: (store: IDBObjectStore) => void): Promise<void> {
    return this.#guard(
      this.#use("readwrite", (store) => {
        const { transaction } = store;
        const done = new Promise<void>((resolve, reject) => {
          transaction.oncomplete = () => resolve();
          // Not `onerror`: a request's error comes by before the transaction has one of its own.
          transaction.onabort = () => reject(transaction.error);
        });
        work(store);
        return done;
      }),
    );
  }

  /** idb-keyval's hook, with what its own store lacks: synchronous when open, and one retry on a lost connection. */
  readonly #use: UseStore = async (mode, callback) => {
    const run = (db: IDBDatabase) => callback(db.transaction(table, mode).objectStore(table));
    try {
      const turn = this.#turn;
      const db = this.#db ?? (await this.#open());
      // Not before what has waited longer: a write must not overtake another one.
      if (turn === this.#turn) this.#db = db;
      return await run(db);
    } catch (error) {
      const name = (error as { name?: string } | undefined)?.name;
      // iOS closes connections without an event; Safari loses the database process.
      if (!this.#db || (name !== "InvalidStateError" && name !== "UnknownError")) throw error;
      this.close();
      return run(await this.#open());
    }
  };

  #open(): Promise<IDBDatabase> {
    const turn = this.#turn;
    this.#opening ??= new Promise<IDBDatabase>((resolve, reject) => {
      let isOpen = false;
      /** Some browsers never answer a first request, and a second at once. */
      const ask = (waitMs: number) => {
        // Without a factory this throws.
        const request = (this.#factory as IDBFactory).open(this.#name);
        this.#timer = after(waitMs, () => {
          this.#set("memory");
          try {
            ask(Math.min(longestMs, 2 * waitMs));
          } catch (error) {
            reject(error);
          }
        });
        request.onupgradeneeded = () => void request.result.createObjectStore(table);
        request.onerror = () => {
          if (turn === this.#turn) this.#timer?.();
          reject(request.error);
        };
        request.onsuccess = () => {
          const db = request.result;
          // Closed meanwhile, but what waits is still written; or another request was answered first.
          if (turn !== this.#turn || isOpen) after(0, () => db.close());
          else {
            this.#timer?.();
            // Another tab that deletes the database must not wait for this one.
            db.onclose = db.onversionchange = () => this.close();
            isOpen = true;
          }
          resolve(db);
        };
      };
      ask(patienceMs);
    }).catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #guard<T>(work: Promise<T>): Promise<T> {
    this.#underWay++;
    this.#watch();
    try {
      const result = await work;
      this.#set("disk");
      return result;
    } catch (error) {
      this.#set("memory");
      throw error;
    } finally {
      this.#underWay--;
      this.#overdue?.();
      this.#overdue = undefined;
      this.#watch();
    }
  }

  /** What is not done by then may never be. */
  #watch(): void {
    if (this.#underWay > 0) this.#overdue ??= after(patienceMs, () => this.#set("memory"));
  }

  #set(storage: StorageState): void {
    this.storage = storage;
    this.#changed();
  }
}
