import { createAsyncStoragePersister } from "@tanstack/query-async-storage-persister";
import { notifyManager, QueryClient, QueryObserver } from "@tanstack/query-core";
import { persistQueryClient, persistQueryClientSave } from "@tanstack/query-persist-client-core";
import { createStore, del, get, set } from "idb-keyval";
import type { Library } from "./library.ts";

/** TanStack Query with a query for each value, whose persister keeps the cache as one text in idb-keyval, once a second. */
export const tanstack: Library = {
  async open() {
    const options = create();
    const [, restored] = persistQueryClient(options);
    await restored;
    const { queryClient } = options;
    const write = (name: string, value: string) => queryClient.setQueryData([name], value);
    return {
      read: (name) => queryClient.getQueryData([name]),
      write,
      writeAll(all) {
        notifyManager.batch(() => {
          for (const [name, value] of all) write(name, value);
        });
      },
      subscribe(name, told) {
        new QueryObserver(queryClient, { queryKey: [name], enabled: false }).subscribe(told);
      },
    };
  },

  /** While the cache is watched, each write of a query lists all queries. */
  async fill(values) {
    const options = create();
    for (const [name, value] of values) options.queryClient.setQueryData([name], value);
    await persistQueryClientSave(options);
  },
};

function create() {
  const disk = createStore("tanstack", "keyval");
  const persister = createAsyncStoragePersister({
    storage: {
      getItem: (name) => get<string>(name, disk),
      setItem: (name, text) => set(name, text, disk),
      removeItem: (name) => del(name, disk),
    },
  });
  const forGood = { gcTime: Number.POSITIVE_INFINITY, staleTime: Number.POSITIVE_INFINITY };
  return { queryClient: new QueryClient({ defaultOptions: { queries: forGood } }), persister };
}
