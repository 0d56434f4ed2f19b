/** How a disk does: `full`, it takes nothing more; `broken`, whatever is asked of it fails; `stuck`, it answers later. */
export type Health = "fine" | "full" | "broken" | "stuck";

/** An `IDBRequest`, as far as the client looks at it. */
interface Request {
  result?: unknown;
  error?: DOMException;
  onupgradeneeded?(): void;
  onsuccess?(): void;
  onerror?(): void;
}

/** An `IDBTransaction`, as far as the client looks at it. */
interface Transaction {
  error: DOMException | null;
  oncomplete?(): void;
  onerror?(): void;
  onabort?(): void;
  commit(): void;
}

const unknown = () => new DOMException("The disk is broken", "UnknownError");
const quota = () => new DOMException("The disk is full", "QuotaExceededError");

/**
 * IndexedDB as far as the client asks for it, in memory and in the simulation's own time: transactions run whole, one after
 * the other, when the simulation lets them. fake-indexeddb, which the other tests use, takes a real timer's turn for each.
 */
export class SimulatedDisk {
  readonly rows: Map<string, unknown> = new Map();
  #health: Health = "fine";
  /** What waits while it is stuck. */
  #waiting: (() => void)[] = [];
  /** Runs what is due. */
  readonly #defer: (task: () => void) => void;
  /** Told whenever somebody meets the trouble. */
  readonly #met: (trouble: Exclude<Health, "fine">) => void;

  constructor(defer: (task: () => void) => void, met: (trouble: Exclude<Health, "fine">) => void = () => undefined) {
    this.#defer = defer;
    this.#met = met;
  }

  get health(): Health {
    return this.#health;
  }

  become(health: Health): void {
    this.#health = health;
    if (health !== "stuck") for (const task of this.#waiting.splice(0)) this.#defer(task);
  }

  /** What a tab takes for `indexedDB`; what it asks when it is not `alive` any more never happens. */
  factory(alive: () => boolean): IDBFactory {
    const open = () => {
      const request: Request = {};
      this.#inTurn(() => {
        if (this.#health === "broken") {
          this.#met("broken");
          request.error = unknown();
          return request.onerror?.();
        }
        request.result = this.#database(alive);
        request.onupgradeneeded?.();
        request.onsuccess?.();
      });
      return request;
    };
    return { open } as never;
  }

  #database(alive: () => boolean): unknown {
    const transaction = (_: string, mode: string) => this.#transaction(mode, alive);
    return { close() {}, createObjectStore() {}, transaction };
  }

  /** What has begun before its tab dies happens all the same, unless the disk was stuck. */
  #transaction(mode: string, alive: () => boolean): unknown {
    const begins = alive();
    const { rows } = this;
    const queue: { readonly request: Request; readonly answer: () => unknown }[] = [];
    const transaction: Transaction = { error: null, commit() {} };
    let puts = false;
    const ask = (answer: () => unknown) => {
      const request: Request = {};
      queue.push({ request, answer });
      return request;
    };
    const put = (row: unknown, name: string) => {
      puts = true;
      rows.set(name, row);
    };
    const sorted = () => [...rows.keys()].sort();
    const store = {
      transaction,
      get: (name: string) => ask(() => structuredClone(rows.get(name))),
      getAllKeys: () => ask(sorted),
      getAll: () => ask(() => sorted().map((name) => structuredClone(rows.get(name)))),
      put: (row: unknown, name: string) => {
        const copy = structuredClone(row);
        return ask(() => put(copy, name));
      },
      delete: (name: string) => ask(() => rows.delete(name)),
      openCursor: () => {
        let names: string[] | undefined;
        const next = () => {
          names ??= sorted();
          const name = names.shift();
          return (
            name !== undefined && {
              key: name,
              value: rows.get(name),
              delete: () => rows.delete(name),
              update: (row: unknown) => put(structuredClone(row), name),
              continue: () => queue.push({ request, answer: next }),
            }
          );
        };
        const request = ask(next);
        return request;
      },
    };
    const abort = (trouble: "full" | "broken", error: DOMException) => {
      this.#met(trouble);
      transaction.error = error;
      transaction.onabort?.();
    };
    this.#inTurn((late) => {
      if (!begins || (late && !alive())) return;
      const before = mode === "readwrite" && this.#health === "full" ? [...rows] : undefined;
      for (let one = queue.shift(); one; one = queue.shift()) {
        const { request, answer } = one;
        if (this.#health === "broken") {
          request.error = unknown();
          request.onerror?.();
          // The event bubbles, before the transaction has an error of its own.
          transaction.onerror?.();
          return abort("broken", unknown());
        }
        request.result = answer();
        request.onsuccess?.();
      }
      if (!before || !puts) return transaction.oncomplete?.();
      rows.clear();
      for (const [name, row] of before) rows.set(name, row);
      abort("full", quota());
    });
    return { objectStore: () => store };
  }

  /** `late`: the disk was stuck meanwhile. */
  #inTurn(task: (late: boolean) => void): void {
    this.#defer(() => {
      if (this.#health !== "stuck") return task(false);
      this.#met("stuck");
      this.#waiting.push(() => task(true));
    });
  }
}
