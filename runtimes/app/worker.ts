// The same app as a Cloudflare Worker, twice: in the Worker itself, whose module makes the sessions, and in a Durable Object,
// whose SQL keeps them. `/laws` holds that store to the contract's laws.
import assert from "node:assert/strict";
import { memoryStore } from "catnap/server";
import { type DurableObjectSql, sqliteStore } from "catnap/sqlite";
import { type StoreLaw, storeLaws } from "catnap/testing";
import { createApp } from "./app.ts";

/** What the Worker uses of a namespace of Durable Objects. */
interface Objects {
  idFromName(name: string): unknown;
  get(id: unknown): { fetch(request: Request): Promise<Response> };
}
interface Env {
  STORE: "memory" | "sql";
  SHOP: Objects;
  LAW: Objects;
}
interface State {
  storage: DurableObjectSql;
}

const inMemory = createApp(memoryStore());

export class Shop {
  readonly #app;

  constructor({ storage }: State) {
    this.#app = createApp(sqliteStore(storage));
  }

  fetch(request: Request) {
    return this.#app.fetch(request);
  }
}

/** Keeps one law: each gets an object, and so a database, of its own. Lists them when it is asked for none. */
export class Law {
  readonly #storage: DurableObjectSql;

  constructor({ storage }: State) {
    this.#storage = storage;
  }

  async fetch(request: Request) {
    const store = () => sqliteStore(this.#storage);
    const laws = [...storeLaws, lawOfLostTables(this.#storage)];
    const name = asked(request);
    if (name === "") return Response.json(laws.map((law) => law.name));
    try {
      const law = laws.find((each) => each.name === name);
      return Response.json(await law?.check(async () => ({ store: store(), reopen: async () => store() })));
    } catch (error) {
      return Response.json({ kind: "broken", reason: error instanceof Error ? error.stack : String(error) });
    }
  }
}

/** That SQLite's result codes are understood, which Cloudflare has in the message alone. */
const lawOfLostTables = ({ sql }: DurableObjectSql): StoreLaw => ({
  name: "a database that somebody has taken the tables of is unusable",
  async check(makeStore) {
    const { store } = await makeStore();
    await store.read("a");
    sql.exec("DROP TABLE catnap_entry");
    await assert.rejects(store.read("a"), { code: "STORE_UNUSABLE" });
    return { kind: "kept" };
  },
});

const asked = ({ url }: Request) => decodeURIComponent(new URL(url).search.slice(1));

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    if (new URL(request.url).pathname === "/laws")
      return env.LAW.get(env.LAW.idFromName(asked(request))).fetch(request);
    return env.STORE === "memory" ? inMemory.fetch(request) : env.SHOP.get(env.SHOP.idFromName("shop")).fetch(request);
  },
};
