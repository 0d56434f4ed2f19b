import { describe, expect, test } from "vitest";
import { faultStore } from "../../testing/src/fault-store.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { codeOf, start } from "./plain.ts";

describe("a token that was rotated", () => {
  /** A visitor who has logged in, and one with the token from before that. */
  async function loggedIn(options: Parameters<typeof start>[0] = {}) {
    const stage = start({ renewal: 100_000, timeout: 90_000, lifetime: 1_000_000, ...options });
    const [owner, old] = [stage.visitor(), stage.visitor()];
    await owner.visit((session) => session.setValue("note", "n"));
    old.state.cookie = owner.state.cookie;
    await owner.visit((session) => session.login("ann"));
    return { ...stage, owner, old };
  }
  const fresh = ({ sessions }: ReturnType<typeof start>) => {
    const middleware = sessions.requireFresh(300) as unknown as (options: object) => unknown;
    return (session: unknown) => middleware({ ctx: { session }, next: async () => "passed" });
  };

  test("may end what was under way: it reads and writes, and may not log in, rotate, or pass requireFresh", async () => {
    const stage = await loggedIn();
    const { owner, old, clock } = stage;
    await owner.visit((session) => session.value("note"));
    await old.visit((session) => session.setValue("theme", "dark"));
    expect(await codeOf(() => old.visit((session) => session.login("ann")))).toBe("TOKEN_ROTATED");
    expect(await codeOf(() => old.visit((session) => session.rotate()))).toBe("TOKEN_ROTATED");
    expect(await codeOf(() => old.visit(fresh(stage)))).toBe("NOT_FRESH");
    expect(await owner.visit(fresh(stage))).toBe("passed");
    expect(old.state.setCookies).toEqual([]);
    clock.advance(60);
    expect(await old.visit((session) => session.previous())).toBe("unknown");
  });

  test("stays good when the answer that carried its successor is lost, is no theft, and gets another", async () => {
    for (const onReuse of ["report", "invalidate"] as const) {
      const { visitor, clock, reports } = start({ renewal: 1_000, timeout: 90_000, lifetime: 1_000_000, onReuse });
      const { visit, state } = visitor();
      await visit((session) => session.setValue("note", "n"));
      clock.advance(1_000);
      const old = state.cookie;
      await visit((session) => session.value("note"));
      expect(state.cookie).not.toBe(old);
      const lost = state.cookie;
      state.cookie = old; // as a browser has it that never got the answer
      clock.advance(3_600);
      expect(await visit((session) => session.value("note"))).toBe("n");
      expect([old, lost]).not.toContain(state.cookie);
      clock.advance(3_600);
      expect(await visit((session) => session.value("note"))).toBe("n");
      expect(reports).toEqual([]);
      // Only now that the newest has been used the others retire.
      clock.advance(60);
      state.cookie = lost;
      expect(await visit((session) => session.previous())).toBe("unknown");
      expect(reports).toMatchObject([{ kind: "reuse", ended: onReuse === "invalidate" }]);
    }
  });

  test("of before a login whose answer is lost logs in again, and inherits nothing of that login", async () => {
    const stage = await loggedIn();
    const { old, clock } = stage;
    expect(await codeOf(() => old.visit((session) => session.login("ann")))).toBe("TOKEN_ROTATED");
    clock.advance(60);
    expect(await codeOf(() => old.visit(fresh(stage)))).toBe("NOT_FRESH");
    expect(await codeOf(() => old.visit((session) => session.rotate()))).toBe("TOKEN_ROTATED");
    await old.visit((session) => session.login("ann"));
    expect(await old.visit(fresh(stage))).toBe("passed");
    expect(await old.visit((session) => session.value("note"))).toBe("n");
  });

  test("of before a login keeps the session alive no longer than its timeout, though nobody uses its successor", async () => {
    const { owner, old, clock } = await loggedIn({ timeout: 600 });
    clock.advance(400);
    await old.visit((session) => session.setValue("theme", "dark"));
    expect(await old.visit((session) => session.subject())).toBe("ann");
    clock.advance(200);
    expect(await old.visit((session) => session.previous())).toBe("expired");
    expect(await owner.visit((session) => session.previous())).toBe("expired");
  });

  test("with grace 0 ends with the request that rotates it", async () => {
    const { owner, old } = await loggedIn({ grace: 0 });
    expect(await old.visit((session) => session.previous())).toBe("unknown");
    expect(await owner.visit((session) => session.subject())).toBe("ann");
  });

  test("costs one commit: the first use of its successor, which may be of a request that only reads", async () => {
    const store = memoryStore();
    const writes: string[] = [];
    const counting = faultStore(store, ({ method }) => {
      if (method === "write") writes.push(method);
      return undefined;
    });
    const { owner } = await loggedIn({ store: counting });
    writes.length = 0;
    for (let i = 0; i < 3; i++) await owner.visit((session) => session.value("note"));
    expect(writes).toHaveLength(1);
  });
});

test("two logins at once from one browser are both in, and hand out one token", async () => {
  const { visitor } = start();
  const { visit, state } = visitor();
  await visit((session) => session.setValue("note", "n"));
  const outcomes = await Promise.all([1, 2].map(() => codeOf(() => visit((session) => session.login("ann")))));
  expect(outcomes).toEqual(["fine", "fine"]);
  expect(state.setCookies).toHaveLength(2);
  expect(await visit((session) => session.subject())).toBe("ann");
});
