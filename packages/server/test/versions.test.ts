import { type AnyDefinition, counter, defineSession, type Op, value } from "@catnap/shared";
import { initTRPC } from "@trpc/server";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { createSessions, type SessionEvent, type Sessions } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { push } from "./pushes.ts";

// Processes of several versions of an app, on one store.

const lines = z.array(z.string());
const concat = (base: string[] = [], mine: string[], theirs: string[]) => [
  ...theirs,
  ...mine.filter((line) => !base.includes(line) && !theirs.includes(line)),
];
/** Lines of at most so many letters. */
const cart = (most: number) => value(z.array(z.string().max(most)).default([]), { merge: concat });

const closing: Pick<Sessions<AnyDefinition>, "close">[] = [];
afterEach(async () => {
  for (const sessions of closing.splice(0)) await sessions.close();
});

function deployment() {
  // All processes have one, which none of them closes.
  const store = { ...memoryStore(), close: async () => undefined };
  let cookie = "";
  let seq = 0;
  /** A process of one version. */
  function deploy<D extends AnyDefinition>(definition: D) {
    const reports: SessionEvent[] = [];
    const sessions = createSessions({
      definition,
      store,
      sweepInterval: 0,
      report: (event) => void reports.push(event),
    });
    closing.push(sessions);
    const t = initTRPC.context<{ session: ReturnType<typeof sessions.wake> }>().create();
    const router = t.router({ session: sessions.router({ procedure: t.procedure.use(sessions.middleware) }) });
    const request = () => new Request("https://shop.example/", { method: "POST", headers: { cookie } });
    async function visit<T>(work: (session: Parameters<Parameters<typeof sessions.run>[1]>[0]) => T): Promise<T> {
      let gave: T | undefined;
      const response = await sessions.run(request(), async (session) => {
        gave = await work(session);
        return new Response("ok");
      });
      cookie = response.headers.getSetCookie()[0]?.split(";")[0] ?? cookie;
      return gave as T;
    }
    return {
      sessions,
      reports,
      visit,
      snapshot: () => sessions.wake(request()).snapshot(),
      /** What a browser sends of its changes. */
      async push(...ops: Partial<Op>[]) {
        const identifier = await sessions.run(request(), (session) => new Response(session.identifier()));
        const caller = router.createCaller({ session: sessions.wake(request()) });
        const all = ops.map((op) => ({ seq: ++seq, key: "note", value: null, base: 0, ...op }));
        const answer = await caller.session.sync(push({ identifier: await identifier.text(), ops: all }));
        if (!answer.ok) throw new Error(answer.message);
        // Those of earlier pushes are told until the browser says that it has heard them.
        return { ...answer, notes: answer.notes.filter((note) => all.some((op) => op.seq === note.seq)) };
      },
      /** What rests, by name. */
      async rests() {
        const { items } = await store.find({ limit: 1 });
        const record = await store.read(items[0]?.identifier ?? "");
        return Object.fromEntries([...(record?.entries ?? [])].map(([name, { value }]) => [name, value]));
      },
    };
  }
  return deploy;
}

describe("a schema that was tightened", () => {
  const before = defineSession({ shared: { cart: cart(100), note: z.string() } });
  const after = defineSession({ shared: { cart: cart(3), note: z.string() } });

  test("keeps what it rejects: as good as absent, told once, and in nobody's place", async () => {
    const deploy = deployment();
    await deploy(before).visit((session) => session.setValue("cart", ["a lot of tea"]));
    const { visit, push, reports, rests } = deploy(after);
    expect(
      await visit((session) => [session.value("cart"), session.hasValue("cart"), { ...session.values() }]),
    ).toEqual([[], false, {}]);
    const { notes } = await push({ key: "cart", value: '["ink"]' }, { key: "note", value: '"goes on"' });
    expect(notes).toMatchObject([{ key: "cart", what: "rejected", code: "INVALID_VALUE" }]);
    expect(notes[0]?.message).toContain("migrate.cart");
    await expect(visit((session) => session.update("cart", (all) => [...all, "ink"]))).rejects.toMatchObject({
      code: "INVALID_VALUE",
      message: expect.stringContaining("migrate.cart"),
    });
    expect(await rests()).toMatchObject({ cart: '["a lot of tea"]', note: '"goes on"' });
    expect(reports).toMatchObject([{ kind: "misfit", key: "cart" }]);
    expect(await deploy(before).visit((session) => session.value("cart"))).toEqual(["a lot of tea"]);
  });

  test.for<[how: string, login: boolean]>([
    ["on its way", false],
    ["on its way, in a login that takes the value along", true],
  ])("keeps what another version writes while a change of this one is %s", async ([, login]) => {
    const deploy = deployment();
    const [older, newer] = [deploy(before), deploy(after)];
    await older.visit((session) => session.setValue("cart", ["tea"]));
    const change = newer.visit(async (session) => {
      if (login) await session.login("ann", { replace: true, keep: ["cart"] });
      session.update("cart", (all) => [...all, "ink"]);
      await older.visit((other) => other.setValue("cart", ["a lot of tea"]));
    });
    await expect(change).rejects.toMatchObject({ code: "INVALID_VALUE" });
    expect((await older.rests()).cart).toBe('["a lot of tea"]');
  });

  test("with a migration shows and merges what that makes of it, and writes it back with the next commit", async () => {
    const deploy = deployment();
    await deploy(before).visit((session) => session.setValue("cart", ["a lot of tea"]));
    const migrate = { cart: (stored: unknown) => lines.parse(stored).map((line) => line.slice(0, 3)) };
    const { visit, push, rests } = deploy(defineSession({ shared: { cart: cart(3), note: z.string() }, migrate }));
    expect(await visit((session) => session.value("cart"))).toEqual(["a l"]);
    expect((await rests()).cart).toBe('["a lot of tea"]');
    const { notes } = await push({ key: "cart", value: '["a lot of tea","ink"]', from: '["a lot of tea"]' });
    expect(notes).toMatchObject([{ key: "cart", what: "merged" }]);
    expect((await rests()).cart).toBe('["a l","ink"]');
  });

  test("is written back by a commit of something else, once it was read", async () => {
    const deploy = deployment();
    await deploy(before).visit((session) => session.setValue("cart", ["a lot of tea"]));
    const migrate = { cart: () => ["tea"] };
    const { visit, rests } = deploy(defineSession({ shared: { cart: cart(3), note: z.string() }, migrate }));
    await visit((session) => {
      session.value("cart");
      session.setValue("note", "x");
    });
    expect(await rests()).toMatchObject({ cart: '["tea"]', note: '"x"' });
  });

  test("whose migration gives undefined drops what it rejects, and another takes its place", async () => {
    const deploy = deployment();
    await deploy(before).visit((session) => session.setValue("cart", ["a lot of tea"]));
    const migrate = { cart: () => undefined };
    const { push, rests, reports } = deploy(defineSession({ shared: { cart: cart(3), note: z.string() }, migrate }));
    const { notes } = await push({ key: "cart", value: '["ink"]' });
    expect([notes, (await rests()).cart, reports]).toEqual([[], '["ink"]', []]);
  });

  test("whose migration throws keeps what is there, and says what was thrown", async () => {
    const deploy = deployment();
    await deploy(before).visit((session) => session.setValue("cart", ["a lot of tea"]));
    const failure = new TypeError("the app's own");
    const migrate = {
      cart: () => {
        throw failure;
      },
    };
    const { visit, rests, reports } = deploy(defineSession({ shared: { cart: cart(3), note: z.string() }, migrate }));
    expect(await visit((session) => session.value("cart"))).toEqual([]);
    expect(reports).toMatchObject([{ kind: "misfit", key: "cart", error: { cause: failure } }]);
    expect(reports[0]).toMatchObject({ error: { message: expect.stringContaining("migrate.cart has thrown") } });
    expect((await rests()).cart).toBe('["a lot of tea"]');
  });
});

test("a value whose shape has changed is never what its type forbids, to value and to update", async () => {
  const deploy = deployment();
  await deploy(defineSession({ shared: { theme: z.string() } })).visit((session) => session.setValue("theme", "dark"));
  const theme = z.object({ name: z.string() });
  const { visit } = deploy(
    defineSession({ shared: { theme }, migrate: { theme: (stored) => ({ name: String(stored) }) } }),
  );
  expect(await visit((session) => session.value("theme").name)).toBe("dark");
  await visit((session) => session.update("theme", ({ name }) => ({ name: `${name}er` })));
  expect(await visit((session) => session.value("theme"))).toEqual({ name: "darker" });
});

test("two devices of an older version that add to a counter which became a text count each once", async () => {
  const deploy = deployment();
  await deploy(defineSession({ shared: { visits: z.string() } })).visit((session) => session.setValue("visits", "5"));
  const { push, visit } = deploy(defineSession({ shared: { visits: counter() }, migrate: { visits: Number } }));
  for (let device = 0; device < 2; device++) await push({ key: "visits", value: "6", from: "5" });
  expect(await visit((session) => session.value("visits"))).toBe(7);
});

describe("limits that were lowered", () => {
  const shared = { cart: cart(1000), note: z.string() };
  const before = defineSession({ shared });
  const after = defineSession({ shared, limits: { valueBytes: 300, sessionBytes: 300 } });
  const four = Array.from({ length: 4 }, (_, i) => `${i}`.repeat(100));

  test("refuse growth, and nothing else", async () => {
    const deploy = deployment();
    await deploy(before).visit((session) => session.setValue("cart", four));
    const { visit, push } = deploy(after);
    expect(await visit((session) => session.value("cart"))).toEqual(four);
    // In the hands of the server.
    await expect(visit((session) => session.setValue("cart", [...four, "5"]))).rejects.toMatchObject({
      code: "LIMIT_EXCEEDED",
    });
    const lower = four.slice(0, 3).map((line) => `${line}a`);
    await visit((session) => session.setValue("cart", lower));
    // And of a browser.
    const from = JSON.stringify(lower);
    const grown = await push({ key: "cart", value: JSON.stringify([...lower, "x".repeat(100)]), from });
    expect(grown.notes).toMatchObject([{ what: "rejected", code: "LIMIT_EXCEEDED" }]);
    const shorter = ["b".repeat(290), "c"];
    const shrunk = await push({ key: "cart", value: JSON.stringify(shorter), from });
    expect(shrunk.notes).toEqual([]);
    expect(await visit((session) => session.value("cart"))).toEqual(shorter);
  });
});

describe("keys that the definition does not know", () => {
  const old = defineSession({ shared: { basket: z.string(), note: z.string() }, limits: { sessionBytes: 100 } });
  const shared = { note: z.string() };

  test("are kept, and count for nothing", async () => {
    const deploy = deployment();
    const before = deploy(old);
    await before.visit((session) => session.setValue("basket", "x".repeat(90)));
    const { visit } = deploy(defineSession({ shared, limits: { sessionBytes: 100 } }));
    await visit((session) => session.setValue("note", "y".repeat(90)));
    expect(await before.visit((session) => session.value("basket"))).toHaveLength(90);
  });

  test("are deleted with the next commit when they are named as dropped", async () => {
    const deploy = deployment();
    await deploy(old).visit((session) => session.setValue("basket", "x"));
    const { visit, rests } = deploy(defineSession({ shared, dropped: ["basket"] }));
    await visit((session) => session.value("note", null));
    expect((await rests()).basket).toBe('"x"');
    await visit((session) => session.setValue("note", "y"));
    expect(Object.keys(await rests())).not.toContain("basket");
  });
});

describe("a key that was shared", () => {
  const shared = { note: z.string() };
  const old = defineSession({ shared: { ...shared, role: z.string(), plan: z.string() } });
  const moved = { shared, readonly: { role: z.string() }, secret: { plan: z.string() } };

  const written = async () => {
    const deploy = deployment();
    const before = deploy(old);
    await before.visit((session) => session.setValue("note", "x"));
    await before.push({ key: "role", value: '"admin"' }, { key: "plan", value: '"gold"' });
    return { deploy, before };
  };

  test("does not take over what a browser wrote, and shows it to nobody", async () => {
    const { deploy } = await written();
    const { visit, push, rests, snapshot } = deploy(defineSession(moved));
    expect(await visit((session) => [session.hasValue("role"), session.value("plan", null)])).toEqual([false, null]);
    expect(Object.keys((await snapshot()).entries)).toEqual(["note"]);
    const { entries } = await push({ value: '"y"' });
    expect(Object.keys(entries)).toEqual(["note"]);
    expect(await rests()).toMatchObject({ role: null, plan: null, note: '"y"' });
    await visit((session) => session.setValue("role", "guest"));
    expect(await visit((session) => session.value("role"))).toBe("guest");
  });

  test("takes it over when the definition trusts it, and always what the server wrote", async () => {
    const { deploy, before } = await written();
    await before.visit((session) => session.setValue("plan", "silver"));
    const { visit } = deploy(defineSession({ ...moved, trust: ["role"] }));
    expect(await visit((session) => [session.value("role"), session.value("plan")])).toEqual(["admin", "silver"]);
  });

  test("takes it over when the key is renamed on its way, too", async () => {
    const { deploy, before } = await written();
    const renamed = { role: "rank", plan: "tier" } as const;
    const there = { shared, readonly: { rank: z.string() }, secret: { tier: z.string() }, renamed };
    const { visit, push, rests } = deploy(defineSession({ ...there, trust: ["rank", "tier"] }));
    expect(await visit((session) => [session.value("rank"), session.value("tier")])).toEqual(["admin", "gold"]);
    await push({ value: '"y"' });
    expect(await rests()).toMatchObject({ role: '"admin"', plan: '"gold"' });
    expect(await before.visit((session) => session.value("role"))).toBe("admin");
  });

  test("is no more trusted when a migration has written it back meanwhile", async () => {
    const { deploy } = await written();
    const migrate = { role: (stored: unknown) => [String(stored)] };
    const lists = z.array(z.string());
    const between = deploy(defineSession({ shared: { ...shared, role: lists, plan: z.string() }, migrate }));
    expect(await between.visit((session) => session.value("role"))).toEqual(["admin"]);
    await between.push({ value: '"y"' });
    expect((await between.rests()).role).toBe('["admin"]');
    const { visit } = deploy(defineSession({ shared, readonly: { role: lists, plan: z.string() } }));
    expect(await visit((session) => session.hasValue("role"))).toBe(false);
  });

  test("is no more trusted when a login has taken it along", async () => {
    const { deploy, before } = await written();
    await before.visit((session) => session.login("ann", { replace: true, keep: ["role", "note"] }));
    expect(await before.visit((session) => session.value("role"))).toBe("admin");
    expect(await deploy(defineSession(moved)).visit((session) => session.hasValue("role"))).toBe(false);
  });
});

test("a login takes along what this version cannot read, as it is", async () => {
  const deploy = deployment();
  const before = deploy(defineSession({ shared: { cart: cart(100) } }));
  await before.visit((session) => session.setValue("cart", ["a lot of tea"]));
  const after = deploy(defineSession({ shared: { cart: cart(3) } }));
  await after.visit((session) => session.login("ann", { replace: true, keep: ["cart"] }));
  expect(await before.visit((session) => session.value("cart"))).toEqual(["a lot of tea"]);
});

describe("a key that was renamed", () => {
  const old = defineSession({ shared: { basket: cart(100) }, secret: { seed: z.string() } });
  const now = defineSession({
    shared: { cart: cart(100) },
    secret: { salt: z.string() },
    renamed: { basket: "cart", seed: "salt" },
  });

  test("is one for both versions: on each server, and from pages of either", async () => {
    const deploy = deployment();
    const [before, after] = [deploy(old), deploy(now)];
    await before.visit((session) => session.setValue("basket", ["tea"]));
    expect(await after.visit((session) => [session.value("cart"), { ...session.values() }])).toEqual([
      ["tea"],
      { cart: ["tea"] },
    ]);
    await after.visit((session) => session.update("cart", (lines) => [...lines, "ink"]));
    await after.push({ key: "basket", value: '["tea","ink","pen"]', from: '["tea","ink"]' });
    await before.push({ key: "basket", value: '["tea","ink","pen","nib"]', from: '["tea","ink","pen"]' });
    for (const read of [
      await before.visit((session) => session.value("basket")),
      await after.visit((session) => session.value("cart")),
    ]) {
      expect(read).toEqual(["tea", "ink", "pen", "nib"]);
    }
    await after.visit((session) => session.login("ann", { replace: true, keep: ["cart"] }));
    expect(await before.visit((session) => session.value("basket"))).toHaveLength(4);
    expect(now.fingerprint).toBe(old.fingerprint);
  });

  test("is called by its new name alone, in messages too", async () => {
    const { visit, sessions } = deployment()(now);
    await expect(visit((session) => session.value("basket" as never))).rejects.toMatchObject({
      code: "UNKNOWN_KEY",
      message: '"basket" is not in the definition, which has cart, salt',
    });
    await expect(visit((session) => session.setValue("cart", [5] as never))).rejects.toThrow(
      /"cart" rejects the value/,
    );
    expect(sessions.policy().keys.shared).toEqual(["cart"]);
  });
});
