// What is tried in every runtime, over HTTP.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { createVisitor } from "./visitor.ts";

/** Waits until something is so; says what was there instead. */
async function until(look: () => unknown, wanted: unknown): Promise<void> {
  for (const end = performance.now() + 10_000; look() !== wanted; await pause(20)) {
    if (performance.now() > end) assert.equal(look(), wanted);
  }
}

/** Goes through all checks, in order, as one visitor. Throws at the first that fails, which it names. */
export async function visit(url: string): Promise<void> {
  const { jar, trpc, get, tab } = createVisitor(url);
  const records = () => createVisitor(url).get<number>("records");
  const token = () => [...jar.values()].join();
  const live = tab();
  const large = "🐈".repeat(25_000);

  const checks: Record<string, () => Promise<void>> = {
    async "a first visit costs no cookie and no record"() {
      assert.deepEqual(await get(), { theme: "light", visits: 0, user: null });
      assert.equal(jar.size, 0);
      assert.equal(await records(), 0);
    },
    async "a write sets a cookie, and the next request reads it"() {
      await get("visit");
      assert.equal(jar.size, 1);
      assert.equal((await get()).visits, 1);
      assert.equal(await records(), 1);
    },
    async "two requests at once both count"() {
      await Promise.all([get("visit"), get("visit")]);
      assert.equal((await get()).visits, 3);
    },
    async "a login rotates the token and keeps the session"() {
      const before = token();
      await trpc.login.mutate({ name: "Ada" });
      assert.notEqual(token(), before);
      assert.deepEqual(await get(), { theme: "light", visits: 3, user: "Ada" });
      assert.equal(await records(), 1);
    },
    async "a tab sends what it has written"() {
      const session = tab();
      session.setValue("theme", "dark");
      session.setValue("note", large);
      await session.sleep();
      session.close();
      assert.equal((await get()).theme, "dark");
    },
    async "a large value survives"() {
      await live.awake();
      assert.equal(live.value("note", ""), large);
    },
    async "a live subscription tells of another request's write"() {
      await get("visit");
      await until(() => live.value("visits"), 4);
    },
    async "a logout ends the session, whose last token opens nothing"() {
      const last = [...jar];
      await trpc.logout.mutate({});
      await until(() => live.hasValue("user"), false);
      for (const [name, content] of last) jar.set(name, content);
      assert.deepEqual(await get(), { theme: "light", visits: 0, user: null });
    },
  };
  try {
    for (const [name, check] of Object.entries(checks)) {
      await check().catch((cause: unknown) => {
        throw new Error(name, { cause });
      });
    }
  } finally {
    live.close();
  }
}

/** A visitor who goes on listening to a live subscription; gives what ends that. */
export async function listen(url: string): Promise<() => void> {
  const { get, tab } = createVisitor(url);
  const live = tab();
  await get("visit");
  await live.awake();
  await get("visit");
  await until(() => live.value("visits"), 2);
  return () => live.close();
}
