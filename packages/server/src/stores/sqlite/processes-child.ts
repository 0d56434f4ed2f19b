import { setTimeout as pause } from "node:timers/promises";
import { sqliteStore } from "./sqlite-store.ts";

// A process of its own for sqlite-processes.test.ts. `count` increments a counter that all children share and sets keys
// of its own, then ends. `loop` commits the same number to three keys, tells it, and goes on until it is killed.
const [mode, path, name, rounds] = process.argv.slice(2) as [string, string, string, string];
const store = sqliteStore(path, { lockTimeout: 15 });
const key = "session";
const put = (value: number) => ({ value: String(value), writer: name, seq: value });
const commit = { now: 0, accessedAt: 0, transactions: 1, expect: new Map<string, number>(), changes: new Map() };

// All but one of the children are refused, and find the session.
await store.write(key, { ...commit, create: { createdAt: 0, endsAt: 100 }, timeoutMs: 100 });

if (mode === "count") {
  for (let done = 0; done < Number(rounds); ) {
    const entry = (await store.read(key))?.entries.get("n");
    const expect = new Map([["n", entry?.rev ?? 0]]);
    const changes = new Map([["n", put(Number(entry?.value ?? 0) + 1)]]);
    if ((await store.write(key, { ...commit, expect, changes })).ok) {
      await store.write(key, { ...commit, changes: new Map([[`${name}-${done}`, put(done)]]) });
      done++;
    }
  }
  await store.close();
} else {
  for (let i = 1; ; i++) {
    const changes = new Map(["a", "b", "c"].map((entry) => [entry, put(i)]));
    const result = await store.write(key, { ...commit, changes });
    if (!result.ok) throw new Error("refused");
    process.stdout.write(`${i}\n`);
    await pause(0);
  }
}
