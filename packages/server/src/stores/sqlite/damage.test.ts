import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { SessionError } from "@catnap/shared";
import fc from "fast-check";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openFile } from "../../../test/sqlite-file.ts";
import type { Commit, Page, Query, SessionInfo, SessionRecord, SessionStore } from "../store.ts";
import type { SqliteDatabase } from "./driver.ts";
import { rowReader, toRevision } from "./rows.ts";
import { sqliteStore } from "./sqlite-store.ts";

let folder = "";
const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
afterAll(() => warned.mockRestore());
beforeEach(() => {
  warned.mockClear();
  folder = mkdtempSync(join(tmpdir(), "catnap-damage-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const now = 1_000_000;
const alice = "alice-0000000000000000";
const bob = "bob-000000000000000000";
const base: Commit = { now, accessedAt: now, transactions: 1, expect: new Map(), changes: new Map() };
const put = (value: string) => ({ value, writer: "server", seq: 0 });
const birth: Commit = {
  ...base,
  create: { createdAt: now, endsAt: now + 1e9 },
  timeoutMs: 1e8,
  subject: "Somebody",
  authenticatedAt: now,
  changes: new Map([["cart", put("1")]]),
};

/** Stands in whatever is planted, and must not come out in a message. */
const secret = "hunter2";
const hex = Buffer.from(secret).toString("hex");

const columns = [
  ...["rev", "created_at", "ends_at", "accessed_at", "timeout_ms", "due_at", "transactions", "stamp", "prior_stamp"],
  ...["subject", "authenticated_at"],
].map((column) => `UPDATE catnap_session SET ${column} = ? WHERE identifier = '${alice}'`);
const ofEntries = ["key", "value", "rev", "writer", "seq"].map(
  (column) =>
    `UPDATE catnap_entry SET ${column} = ? WHERE session = (SELECT id FROM catnap_session WHERE identifier = '${alice}')`,
);

/** What somebody may have put into a column, as SQL. */
const content = fc.oneof(
  fc.constantFrom(`'${secret}'`, `'[${secret}'`, `''`, `char(0) || '${secret}'`, `x'${hex}'`, "x''", "x'00'"),
  fc.constantFrom("NULL", "9e999", "-9e999", "1.5", "-1", "0", "9223372036854775807", "-9007199254740993"),
  // No UTF-8, which ends the process in libsql.
  fc.constantFrom("CAST(x'ff61' AS TEXT)", "CAST(x'c328' AS TEXT)", `CAST(x'${hex}80' AS TEXT)`),
  // Among these are such as SQLite takes for JSON of its own making.
  fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) => `x'${Buffer.from(bytes).toString("hex")}'`),
);

const damage = fc.array(fc.tuple(fc.constantFrom(...columns, ...ofEntries), content), { minLength: 1, maxLength: 3 });

function plant(database: SqliteDatabase, damages: readonly (readonly [string, string])[]) {
  for (const [statement, value] of damages) {
    try {
      database.exec(statement.replace("?", value));
    } catch (error) {
      // The columns that take no NULL say so, and are then left as they were.
      expect(String(error)).toContain("constraint");
    }
  }
}

/** Whether each field has the type that the contract says. */
function assertSound(session: SessionRecord | SessionInfo) {
  const { identifier, subject, createdAt, accessedAt, authenticatedAt, transactions, entries } = session;
  expect(typeof identifier).toBe("string");
  for (const time of [createdAt, accessedAt, authenticatedAt ?? 0, transactions]) expect(time).toBeTypeOf("number");
  expect(subject === null || (typeof subject === "string" && !subject.includes("\0"))).toBe(true);
  for (const [name, entry] of entries ?? []) {
    expect(typeof name).toBe("string");
    const { value, rev, writer, seq } = typeof entry === "string" ? { ...put(entry), rev: 1 } : entry;
    expect(value === null || typeof value === "string").toBe(true);
    expect(Number.isSafeInteger(rev) && typeof writer === "string" && typeof seq === "number").toBe(true);
  }
}

/** Runs a call that may meet damage: it answers soundly, or says which session is damaged and what to do, and no more. */
async function soundly<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    expect(error).toBeInstanceOf(SessionError);
    expect(error).toMatchObject({ code: "STORE_UNUSABLE" });
    const told = inspect(error, { depth: 9 });
    expect(told).toContain(`session "${alice}" is damaged and cannot be read: restore a backup, or end it`);
    expect(told).not.toContain(secret);
    return undefined;
  }
}

async function useAll(store: SessionStore) {
  for (let round = 0; round < 2; round++) {
    const record = await soundly(() => store.read(alice));
    if (record) assertSound(record);
    for (const query of [{}, { subject: "Somebody" }, { entries: ["cart", ""] }, { expiredAt: now + 2e9 }]) {
      for (const info of (await soundly(() => store.find({ ...query, limit: 5 })))?.items ?? []) assertSound(info);
    }
    for (const commit of [
      { ...base, changes: new Map([["cart", put("2")]]) },
      { ...base, changes: new Map([["more", put("2")]]), subject: "Somebody", expect: new Map([["cart", 1]]) },
    ]) {
      const result = await soundly(() => store.write(alice, commit));
      if (result?.ok) expect(Number.isSafeInteger(result.rev)).toBe(true);
      else if (result?.record) assertSound(result.record);
    }
    await soundly(() => store.touch([{ key: alice, accessedAt: now + 1, transactions: 1 }]));
    await soundly(() => store.sweep(now, 5));
  }
  // The neighbour is well, and the remedy works.
  expect((await store.read(bob))?.entries.get("cart")?.value).toBe("1");
  await store.delete(alice);
  expect(await store.read(alice)).toBeNull();
  expect((await store.find({ limit: 5, entries: ["cart"] })).items).toMatchObject([{ identifier: bob }]);
}

async function walk(store: SessionStore, query: Omit<Query, "cursor">): Promise<SessionInfo[]> {
  const found: SessionInfo[] = [];
  for (let cursor: string | undefined = ""; cursor !== undefined; ) {
    const page: Page<SessionInfo> = await store.find({ ...query, cursor });
    found.push(...page.items);
    cursor = page.cursor;
  }
  return found;
}

/** A database whose numbers come as bigints, where the driver has a switch for that. */
async function withBigints(path: string) {
  const database = await openFile(path);
  (database as { defaultSafeIntegers?: (on: boolean) => void }).defaultSafeIntegers?.(true);
  return database;
}

describe("whatever stands in the columns of a session, every call answers soundly or names the session:", () => {
  test.for([
    ["of a path", 0],
    ["of a path, with a cache", 1_000_000],
    ["of an application's database that answers with bigints", null],
  ] as const)("a store %s", async ([, cacheBytes]) => {
    let count = 0;
    await fc.assert(
      fc.asyncProperty(damage, async (damages) => {
        const path = join(folder, `${count++}.db`);
        const database = cacheBytes === null ? await withBigints(path) : await openFile(path);
        const store = cacheBytes === null ? sqliteStore(database) : sqliteStore(path, { cacheBytes });
        await store.write(alice, birth);
        await store.write(bob, birth);
        await store.read(alice);
        plant(database, damages);
        await useAll(store);
        await store.close();
        database.close();
      }),
      { numRuns: 60 },
    );
  });

  test("an identifier that is no text is told of by the list, without a name", async () => {
    const path = join(folder, "sessions.db");
    const store = sqliteStore(path);
    await store.write(alice, birth);
    const database = await openFile(path);
    database.exec(`UPDATE catnap_session SET identifier = x'${hex}'`);
    await expect(store.find({ limit: 5 })).rejects.toMatchObject({
      code: "STORE_UNUSABLE",
      message: expect.stringContaining("a session without a name is damaged"),
    });
    database.close();
    await store.close();
  });
});

test("a parser ends with what it was made for, or says that the session is damaged, whatever it is given", () => {
  const json = fc.oneof(
    fc.jsonValue().map((value) => JSON.stringify([value, 1, 2, 3, 4, 5, 6, 7, 8])),
    fc.constantFrom("null", "[null,1,2,3,4,5,6,7,8]", '["s",1,2,3,4,"i",6]', "[1,2,3]", "[["),
    fc.string(),
  );
  const column = fc.oneof(
    json,
    json.map((text) => new TextEncoder().encode(text)),
    fc.uint8Array().map((bytes) => bytes.buffer),
    fc.anything({ withBigInt: true }),
  );
  const row = fc.record({ fields: column, entries: column, committed: column, rev: column }, { requiredKeys: [] });
  const rows = rowReader("sessions.db", "UTF-8");
  fc.assert(
    fc.property(row, (given) => {
      for (const parse of [
        () => rows.session(alice, given),
        () => rows.identifier(given),
        () => rows.info(alice, given),
        () => rows.committed(alice, given),
      ]) {
        try {
          parse();
        } catch (error) {
          expect(error).toMatchObject({ name: "SessionError", code: "STORE_UNUSABLE", cause: expect.any(TypeError) });
        }
      }
      const rev = toRevision(given);
      expect(rev === null || Number.isSafeInteger(rev)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test("a damaged session is left out of a list, with one line on the console, and the walk goes on", async () => {
  const store = sqliteStore(join(folder, "sessions.db"));
  for (const key of ["a", "b", "c", "d"]) await store.write(key, birth);
  const other = await openFile(join(folder, "sessions.db"));
  other.exec(`UPDATE catnap_session SET created_at = '${secret}' WHERE identifier IN ('b', 'd')`);
  other.exec(
    `UPDATE catnap_entry SET value = x'00' WHERE session = (SELECT id FROM catnap_session WHERE identifier = 'c')`,
  );
  for (const _ of [1, 2]) {
    expect((await walk(store, { limit: 1 })).map((info) => info.identifier)).toEqual(["a", "c"]);
  }
  expect((await walk(store, { limit: 3, entries: ["cart"] })).map((info) => info.identifier)).toEqual(["a"]);
  const line = (key: string) =>
    `catnap: sessions.db: session "${key}" is damaged and cannot be read: restore a backup, or end it with sessions.revoke(identifier)`;
  expect(warned.mock.calls).toEqual([[line("b")], [line("d")], [line("c")]]);
  other.close();
  await store.close();
});

test("a damaged session does not keep the watchers of others from hearing, and has not ended for its own", async () => {
  const path = join(folder, "sessions.db");
  const store = sqliteStore(path);
  await store.write(alice, birth);
  await store.write(bob, birth);
  const heard: [string, number][] = [];
  for (const key of [alice, bob]) store.watch?.(key, (rev) => heard.push([key, rev]));
  const other = await openFile(path);
  other.exec(`UPDATE catnap_session SET rev = 9223372036854775807 WHERE identifier = '${alice}'`);
  other.exec(`UPDATE catnap_session SET rev = 7 WHERE identifier = '${bob}'`);
  await expect.poll(() => heard).toContainEqual([bob, 7]);
  expect(heard.filter(([key]) => key === alice)).not.toContainEqual([alice, 0]);
  other.close();
  await store.close();
});
