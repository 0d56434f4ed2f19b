import { randomBytes } from "node:crypto";
import type { Commit, SessionStore } from "catnap/server";
import type { Rehearsal } from "./rehearsal.ts";

/** Calls for each, so many at a time. */
export async function each<T>(items: readonly T[], call: (item: T, n: number) => Promise<unknown>, width = 16) {
  const entries = items.entries();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const [n, item] of entries) await call(item, n);
    }),
  );
}

/** As many identifiers as long as the rehearsal's. */
export const identifiers = ({ length }: Rehearsal, count: number): string[] =>
  Array.from({ length: count }, () => randomBytes(length).toString("base64url").slice(0, length));

/** Asks of a store, for each of the sessions, what a rehearsed request has asked for its own, with so much `more` in it. */
export async function replay(
  store: SessionStore,
  { commit }: { readonly commit: Commit },
  keys: readonly string[],
  { width = 16, more = () => ({}) }: { width?: number; more?: (n: number) => Partial<Commit> } = {},
): Promise<void> {
  await each(
    keys,
    async (key, n) => {
      const { ok } = await store.write(key, { ...commit, ...more(n) });
      if (!ok) throw new Error("the store refuses a rehearsed commit");
    },
    width,
  );
}
