import { createStore, del, get, set } from "idb-keyval";
import { createJSONStorage, persist, subscribeWithSelector } from "zustand/middleware";
import { createStore as createZustand } from "zustand/vanilla";
import type { Library } from "./library.ts";

interface State {
  readonly values: Readonly<Record<string, string>>;
}

/** zustand, whose `persist` keeps the state as one text in idb-keyval. */
export const zustand: Library = {
  async open() {
    const disk = createStore("zustand", "keyval");
    const storage = createJSONStorage<State>(() => ({
      getItem: async (name) => (await get<string>(name, disk)) ?? null,
      setItem: (name, text) => set(name, text, disk),
      removeItem: (name) => del(name, disk),
    }))!;
    const store = createZustand<State>()(
      subscribeWithSelector(persist((): State => ({ values: {} }), { name: "state", storage, skipHydration: true })),
    );
    await store.persist.rehydrate();
    return {
      read: (name) => store.getState().values[name],
      write: (name, value) => store.setState(({ values }) => ({ values: { ...values, [name]: value } })),
      writeAll: (all) => store.setState(({ values }) => ({ values: { ...values, ...Object.fromEntries(all) } })),
      subscribe: (name, told) => void store.subscribe(({ values }) => values[name], told),
    };
  },
};
