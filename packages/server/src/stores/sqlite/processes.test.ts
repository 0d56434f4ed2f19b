import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test as plain, vi } from "vitest";
import { openFile } from "../../../test/sqlite-file.ts";
import { all } from "./driver.ts";
import { sqliteStore } from "./sqlite-store.ts";

const child = fileURLToPath(new URL("./processes-child.ts", import.meta.url));

// Starting a process and stripping its types takes seconds on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

interface Fixtures {
  path: string;
  start(mode: "count" | "loop", name: string, rounds?: number): ChildProcess;
}

const test = plain.extend<Fixtures>({
  // vitest wants the empty pattern to know that this fixture needs no other.
  // biome-ignore lint/correctness/noEmptyPattern: see above
  path: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), "catnap-sqlite-"));
    await use(join(folder, "sessions.db"));
    await rm(folder, { recursive: true });
  },
  start: async ({ path }, use) => {
    const children: ChildProcess[] = [];
    await use((mode, name, rounds = 0) => {
      const args = ["--no-warnings", "--import", "tsx", child, mode, path, name, String(rounds)];
      const started = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      children.push(started);
      return started;
    });
    for (const started of children) started.kill("SIGKILL");
  },
});

test("several processes open a new file at once, and none of their commits is lost", async ({ path, start }) => {
  const names = ["one", "two", "three"];
  const exits = await Promise.all(names.map((name) => once(start("count", name, 40), "exit")));
  expect(exits).toEqual(names.map(() => [0, null]));
  const store = sqliteStore(path);
  const record = await store.read("session");
  await store.close();
  expect(record?.entries.get("n")?.value).toBe("120");
  expect(record?.entries.size).toBe(121);
  expect(record?.rev).toBe(241);
  expect(record?.transactions).toBe(241);
});

test("a process killed at any moment loses nothing that it acknowledged and leaves no half commit", async ({
  path,
  start,
}) => {
  let base = 1;
  for (const enough of [1, 40, 137]) {
    const process = start("loop", "killed");
    let told = 0;
    const ended = once(process, "exit");
    if (process.stdout === null) throw new Error("no pipe");
    for await (const line of createInterface(process.stdout)) {
      told = Number(line);
      if (told === enough) process.kill("SIGKILL");
    }
    expect(await ended).toEqual([null, "SIGKILL"]);
    expect(told).toBeGreaterThanOrEqual(enough);

    const store = sqliteStore(path);
    const record = await store.read("session");
    await store.close();
    const values = ["a", "b", "c"].map((key) => Number(record?.entries.get(key)?.value));
    expect(new Set(values).size).toBe(1);
    // One commit may have landed whose acknowledgement the kill cut off.
    expect(values[0]! - told).toBeGreaterThanOrEqual(0);
    expect(values[0]! - told).toBeLessThanOrEqual(1);
    expect(record?.rev).toBe(base + values[0]!);
    base += values[0]!;
  }
  const database = await openFile(path);
  expect(all(database, "PRAGMA integrity_check")).toMatchObject([{ integrity_check: "ok" }]);
  database.close();
});
