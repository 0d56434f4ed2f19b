import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sqliteStore } from "./sqlite-store.ts";

const invalid = (message: string) =>
  expect.objectContaining({ name: "SessionError", code: "INVALID_OPTION", message: expect.stringContaining(message) });

const hint = 'name a file, such as "sessions.db", or pass an opened database of node:sqlite, better-sqlite3 or libsql';

test.for([
  [undefined, "sqliteStore: the first argument is undefined: "],
  [null, "sqliteStore: the first argument is null: "],
  [5, "sqliteStore: the first argument is 5: "],
  [true, "sqliteStore: the first argument is true: "],
  [Symbol("s"), "sqliteStore: the first argument is a symbol: "],
  [{}, "sqliteStore: the first argument is an object: "],
  [[], "sqliteStore: the first argument is an array: "],
  [new URL("file:///tmp/a.db"), "sqliteStore: the first argument is an object: "],
  // A Durable Object's SQL without its transactions.
  [{ sql: { exec: () => null } }, "sqliteStore: the first argument is an object: "],
  // A client of libsql's other package, whose calls are asynchronous.
  [{ execute: () => null, batch: () => null, close: () => null }, "sqliteStore: the first argument is an object: "],
] as const)("what is neither a path nor a database is refused with both remedies: %#", ([source, start]) => {
  // What a caller without types may pass.
  expect(() => sqliteStore(source as never)).toThrow(invalid(`${start}${hint}`));
});

test.for([
  ["", '""'],
  ["a.db\0", '"a.db\\u0000"'],
])("%j is no path", ([path, shown]) => {
  expect(() => sqliteStore(path as string)).toThrow(invalid(`sqliteStore: the path is ${shown}: name a file`));
});

test.for([
  [{ lockTimeout: -1 }, "lockTimeout is -1: give a finite number of seconds, 0 or more"],
  [{ lockTimeout: Number.NaN }, "lockTimeout is NaN: give a finite number"],
  [{ lockTimeout: Number.POSITIVE_INFINITY }, "lockTimeout is Infinity: give a finite number"],
  [{ lockTimeout: "5" }, 'lockTimeout is "5": give a finite number'],
  [{ lockTimeout: null }, "lockTimeout is null: give a finite number"],
  [{ durability: "full" }, 'durability is "full": choose one of process, power'],
  [{ durability: null }, "durability is null: choose one of process, power"],
  [{ cacheBytes: -1 }, "cacheBytes is -1: give a number of bytes, 0 or more"],
  [{ cacheBytes: "9" }, 'cacheBytes is "9": give a number of bytes, 0 or more'],
  [{ cacheBytes: Number.NaN }, "cacheBytes is NaN: give a number of bytes, 0 or more"],
  [{ cacheBytes: null }, "cacheBytes is null: give a number of bytes, 0 or more"],
] as const)("option %j is refused with the file, the rule and a remedy", ([options, message]) => {
  // What a caller without types may pass.
  expect(() => sqliteStore("a.db", options as never)).toThrow(invalid(`sqliteStore("a.db"): ${message}`));
});

test("options that do not exist are refused with the one that was meant", () => {
  const wrong = { durabilty: "power" };
  // What a caller without types may pass.
  expect(() => sqliteStore("a.db", wrong as object)).toThrow(
    invalid('sqliteStore("a.db") has no option "durabilty": did you mean "durability"?'),
  );
  for (const options of [null, "power", 5]) {
    expect(() => sqliteStore("a.db", options as never)).toThrow(
      invalid('sqliteStore("a.db") takes its options as an object'),
    );
  }
});

describe("a file that cannot be opened is named, with what is in the way:", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "catnap-options-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const refusal = async (path: string) => {
    const store = sqliteStore(path);
    const error = await store.read("a").catch((error: unknown) => error);
    await store.close();
    // The text may reach a visitor, to whom the folders of the server are no business; a log has the cause, too.
    expect(error).toMatchObject({ code: "STORE_UNUSABLE", cause: { message: `cannot open ${path}` } });
    expect(String(error)).not.toContain(folder);
    return String(error);
  };

  test("a folder that does not exist", async () => {
    expect(await refusal(join(folder, "missing", "sessions.db"))).toBe(
      "SessionError: sessions.db cannot be opened: its folder does not exist: make it, or name another file",
    );
    expect(await refusal(`file:${join(folder, "missing", "sessions.db")}`)).toContain("its folder does not exist");
    symlinkSync(join(folder, "missing", "sessions.db"), join(folder, "link"));
    expect(await refusal(join(folder, "link"))).toContain("its folder does not exist");
  });

  test("a file where a folder should be", async () => {
    writeFileSync(join(folder, "file"), "");
    expect(await refusal(join(folder, "file", "sessions.db"))).toContain("its folder does not exist");
  });

  test("a folder", async () => {
    mkdirSync(join(folder, "sessions"));
    expect(await refusal(join(folder, "sessions"))).toBe(
      "SessionError: sessions cannot be opened: it is a folder: name a file in it",
    );
  });

  // Root may write anywhere.
  test.skipIf(process.getuid?.() === 0 || process.platform === "win32")("what this process may not write", async () => {
    chmodSync(folder, 0o500);
    expect(await refusal(join(folder, "sessions.db"))).toContain("this process may not write in");
    chmodSync(folder, 0o700);
    writeFileSync(join(folder, "sessions.db"), "", { mode: 0o400 });
    expect(await refusal(join(folder, "sessions.db"))).toMatch(
      / is read-only: |this process may not read and write it/,
    );
  });
});
