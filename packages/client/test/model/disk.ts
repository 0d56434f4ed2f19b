/**
 * IndexedDB as far as the client asks for it, in memory and in the simulation's own time: transactions run whole, one after
 * the other, when the simulation lets them. fake-indexeddb, which the other tests use, takes a real timer's turn for each.
 */
export class SimulatedDisk {
  readonly rows: Map<string, unknown> = new Map();
  /** Runs what is due. */
  readonly #defer: (task: () => void) => void;

  constructor(defer: (task: () => void) => void) {
    this.#defer = defer;
  }

  /** What a tab takes for `indexedDB`; what it asks when it is not `alive` any more never happens. */
  factory(alive: () => boolean): IDBFactory {
    const open = () => {
      const request: { result?: unknown; onupgradeneeded?: () => void; onsuccess?: () => void } = {};
      this.#defer(() => {
        request.result = this.#database(alive);
        request.onupgradeneeded?.();
        request.onsuccess?.();
      });
      return request;
    };
    return { open } as never;
  }

  #database(alive: () => boolean): unknown {
    return { close() {}, createObjectStore() {}, transaction: () => this.#transaction(alive()) };
  }

  #transaction(begins: boolean): unknown {
    const { rows } = this;
    const queue: (() => void)[] = [];
    const transaction: { oncomplete?: () => void; commit(): void } = { commit() {} };
    const ask = (answer: () => unknown) => {
      const request: { result?: unknown; onsuccess?: () => void } = {};
      queue.push(() => {
        request.result = answer();
        request.onsuccess?.();
      });
      return request;
    };
    const sorted = () => [...rows.keys()].sort();
    const store = {
      transaction,
      get: (name: string) => ask(() => structuredClone(rows.get(name))),
      getAllKeys: () => ask(sorted),
      getAll: () => ask(() => sorted().map((name) => structuredClone(rows.get(name)))),
      put: (row: unknown, name: string) => {
        const copy = structuredClone(row);
        return ask(() => rows.set(name, copy));
      },
      delete: (name: string) => ask(() => rows.delete(name)),
      openCursor: () => {
        let names: string[] | undefined;
        const request: { result?: unknown; onsuccess?: () => void } = {};
        const next = () => {
          names ??= sorted();
          const name = names.shift();
          request.result = name !== undefined && {
            key: name,
            value: rows.get(name),
            delete: () => rows.delete(name),
            update: (row: unknown) => rows.set(name, structuredClone(row)),
            continue: () => queue.push(next),
          };
          request.onsuccess?.();
        };
        queue.push(next);
        return request;
      },
    };
    this.#defer(() => {
      if (!begins) return;
      for (let request = queue.shift(); request; request = queue.shift()) request();
      transaction.oncomplete?.();
    });
    return { objectStore: () => store };
  }
}
