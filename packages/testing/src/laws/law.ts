import { strict as assert } from "node:assert";
import type { Commit, EntryChange, Query, SessionInfo, SessionRecord, SessionStore, WriteResult } from "@catnap/server";
import { assertStore, invalid } from "../checks.ts";

/** A store to be held to the laws. */
export interface StoreUnderTest {
  /** Empty, and nobody else's. */
  readonly store: SessionStore;
  /** Another handle on the same data, as another process would have; absent when the store's data live in its handle. */
  reopen?(): Promise<SessionStore>;
  /** Runs after the law, kept or broken. The law closes no handle that it was given, unless closing is its subject. */
  cleanup?(): Promise<void>;
}

/** Makes a store for one law. */
export type MakeStore = () => Promise<StoreUnderTest>;

/** What became of a law that no store broke. */
export type LawOutcome = { readonly kind: "kept" } | { readonly kind: "skipped"; readonly reason: string };

/** One sentence of the store contract. */
export interface StoreLaw {
  readonly name: string;
  /** Rejects when the store breaks the law. `skipped`: the store does not offer what the law is about. */
  check(makeStore: MakeStore): Promise<LawOutcome>;
}

/** A store for one law. Throws `INVALID_OPTION` where `makeStore` gives none. */
async function made(makeStore: MakeStore): Promise<StoreUnderTest> {
  if (typeof makeStore !== "function") throw invalid("check takes a function: check(async () => ({ store }))");
  const under = await makeStore();
  assertStore("The store of check's function", under?.store);
  return under;
}

/** A law of every store. */
export function law(name: string, check: (store: SessionStore) => Promise<void>): StoreLaw {
  return {
    name,
    async check(makeStore) {
      const { store, cleanup } = await made(makeStore);
      try {
        await check(store);
        return { kind: "kept" };
      } finally {
        await cleanup?.();
      }
    },
  };
}

/** A store that offers more than it must. */
type Offering<M extends keyof SessionStore> = SessionStore & Required<Pick<SessionStore, M>>;

/** A law of stores that two processes can share, and, where it `needs` a method that is optional, of those that have it. */
export function lawOfTwo<M extends "lease" | "recall" = never>(
  name: string,
  check: (one: Offering<M>, two: Offering<M>) => Promise<void>,
  needs?: M,
): StoreLaw {
  return {
    name: `over two handles, ${name}`,
    async check(makeStore) {
      const { store, reopen, cleanup } = await made(makeStore);
      try {
        if (needs && store[needs] === undefined) return { kind: "skipped", reason: `the store has no ${needs}` };
        if (reopen === undefined) return { kind: "skipped", reason: "the store offers no second handle on its data" };
        const other = await reopen();
        try {
          // Both are made by one function, and the first has what is needed.
          await check(store as Offering<M>, other as Offering<M>);
        } finally {
          await other.close();
        }
        return { kind: "kept" };
      } finally {
        await cleanup?.();
      }
    },
  };
}

/** A law of stores that tell of commits. */
export function lawOfWatching(name: string, check: (store: Required<SessionStore>) => Promise<void>): StoreLaw {
  return {
    name,
    async check(makeStore) {
      const { store, cleanup } = await made(makeStore);
      try {
        if (store.watch === undefined) return { kind: "skipped", reason: "the store has no watch" };
        // The line above saw that the one optional method is there.
        await check(store as Required<SessionStore>);
        return { kind: "kept" };
      } finally {
        await cleanup?.();
      }
    },
  };
}

/** The hour at which every law begins, in epoch milliseconds. */
export const dawn = 1_700_000_000_000;
/** The idle timeout of sessions made by `born`, in milliseconds. */
export const idleMs = 60_000;
/** The absolute end of sessions made by `born`. */
export const doom: number = dawn + 10 * idleMs;

/** The identifier of the n-th session; their order is that of the numbers. */
export const identifier = (n: number): string => `session-${String(n).padStart(20, "0")}`;
/** The session that most laws are about. */
export const alice: string = identifier(1);
/** Her neighbour. */
export const bob: string = identifier(2);

type Changes = Readonly<Record<string, string | null | undefined>>;

/** Fields of a commit as a law writes them: changes as plain values, expectations as a plain object. */
export interface Wish extends Partial<Omit<Commit, "changes" | "expect">> {
  readonly set?: Changes;
  readonly expect?: Readonly<Record<string, number>>;
}

/** Completes a wish: at `dawn`, with that as access time, nothing changed, expected or counted. */
export function commit({ set = {}, expect = {}, ...rest }: Wish = {}): Commit {
  const changes = new Map<string, EntryChange>();
  for (const [key, value] of Object.entries(set)) changes.set(key, { value, writer: "server", seq: 0 });
  const now = rest.now ?? dawn;
  return { accessedAt: now, transactions: 0, ...rest, now, changes, expect: new Map(Object.entries(expect)) };
}

/** Makes a session that lives for a minute from `dawn` on, or as the wish has it. */
export async function born(store: SessionStore, key: string, wish: Wish = {}): Promise<void> {
  const create = { createdAt: dawn, endsAt: doom };
  const result = await store.write(key, commit({ create, timeoutMs: idleMs, transactions: 1, ...wish }));
  assert.deepEqual(result, { ok: true, rev: 1 }, "a free key takes a new session");
}

/** Reads a session that must be there. */
export async function present(store: SessionStore, key: string): Promise<SessionRecord> {
  const record = await store.read(key);
  assert.ok(record, `${key} is there`);
  return record;
}

/** The values of a record, tombstones included, as a plain object. */
export function valuesOf(record: SessionRecord | null): Record<string, string | null> {
  return Object.fromEntries([...(record?.entries ?? [])].map(([key, entry]) => [key, entry.value]));
}

/** Asserts that a commit is in and hands out its revision. */
export function accepted(result: WriteResult): number {
  assert.ok(result.ok, "the commit is accepted");
  return result.rev;
}

/** Asserts a refusal and hands out its record. */
export function refused(result: WriteResult): SessionRecord | null {
  assert.ok(!result.ok, "the commit is refused");
  return result.record;
}

/** Walks all pages. `between` runs after each. */
export async function walk(
  store: SessionStore,
  query: Omit<Query, "cursor">,
  between?: (page: number) => Promise<void>,
): Promise<SessionInfo[]> {
  const found: SessionInfo[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < 1000; page++) {
    const answer = await store.find(cursor === undefined ? query : { ...query, cursor });
    assert.ok(answer.items.length <= query.limit, "a page holds no more than its limit");
    found.push(...answer.items);
    if (answer.cursor === undefined) return found;
    cursor = answer.cursor;
    await between?.(page);
  }
  assert.fail("the walk never ends");
}

/** The identifiers of what `find` told. */
export const keysOf = (infos: readonly SessionInfo[]): string[] => infos.map((info) => info.identifier);

/** Makes n things. */
export const times = <T>(n: number, make: (index: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));

/** Waits until the condition holds, at most two seconds. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 2_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `within two seconds, ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
