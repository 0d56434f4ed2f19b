type Marks = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

interface View {
  readonly items: Map<string, string>;
  /** How many of its own texts the browser has not confirmed, by name. */
  readonly unheard: Map<string, number>;
  heard(): void;
}

/**
 * A browser's localStorage, as its processes see it: each of them at once what it writes itself, and what the others write
 * later. Of two that write in one moment, both end with the text that reaches the browser last.
 */
export class SimulatedMarks {
  /** As the browser has it. */
  readonly items: Map<string, string> = new Map();
  readonly #views = new Set<View>();
  readonly #defer: (task: () => void) => void;

  /** `defer` runs what is due. */
  constructor(defer: (task: () => void) => void) {
    this.#defer = defer;
  }

  /** What a tab of another process takes for `localStorage`; it writes while it `lives`, and is told when others have written. */
  open(lives: () => boolean, heard: () => void): Marks {
    const own: View = { items: new Map(this.items), unheard: new Map(), heard };
    this.#views.add(own);
    const count = (name: string, by: number) => own.unheard.set(name, (own.unheard.get(name) ?? 0) + by);
    const put = (items: Map<string, string>, name: string, text: string | null) => {
      if (text === null) items.delete(name);
      else items.set(name, text);
    };
    const change = (name: string, text: string | null) => {
      if (!lives()) return;
      put(own.items, name, text);
      count(name, 1);
      this.#defer(() => {
        put(this.items, name, text);
        count(name, -1);
        // Who waits to hear of a text of its own is not told of an earlier one.
        for (const view of this.#views) {
          if (view.unheard.get(name)) continue;
          put(view.items, name, text);
          if (view !== own) view.heard();
        }
      });
    };
    return {
      getItem: (name) => own.items.get(name) ?? null,
      setItem: change,
      removeItem: (name) => change(name, null),
      key: (i) => [...own.items.keys()][i] ?? null,
      get length() {
        return own.items.size;
      },
    };
  }

  clear(): void {
    for (const items of [this.items, ...[...this.#views].map((view) => view.items)]) items.clear();
  }
}
