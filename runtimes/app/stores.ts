import type { SessionStore } from "catnap/server";

/** What the app keeps its sessions in, and what lets go of what a store leaves to the app. */
export interface Kept {
  store: SessionStore;
  release?(): Promise<unknown>;
}

/** A store of every kind that a process may have. Each loads what it needs, and no more. */
export const stores: Record<string, () => Promise<Kept>> = {
  async memory() {
    const { memoryStore } = await import("catnap/server");
    return { store: memoryStore() };
  },
  async sqlite() {
    const { sqliteStore } = await import("catnap/sqlite");
    return { store: sqliteStore(process.env.DATABASE ?? "sessions.db") };
  },
  async redis() {
    const { redisStore } = await import("catnap/redis");
    const { createClient } = await import("redis");
    const client = createClient({ url: process.env.REDIS_URL ?? "redis://localhost" });
    client.on("error", console.error);
    await client.connect();
    const store = redisStore(client, { prefix: process.env.PREFIX ?? "catnap:" });
    return { store, release: () => client.close() };
  },
};
