import { describe, expect, test } from "vitest";
import { faultStore } from "../../testing/src/fault-store.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { codeOf, start } from "./plain.ts";

// A place where no cookie can be set: a server component has headers, and no response.

describe("where no cookie can be set", () => {
  function stage(options: Parameters<typeof start>[0] = {}) {
    const calls: string[] = [];
    const store = faultStore(memoryStore(), ({ method }) => {
      calls.push(method);
      return undefined;
    });
    const made = start({ store, renewal: 1_000, timeout: 90_000, lifetime: 1_000_000, ...options });
    const { middleware } = made.sessions as unknown as {
      middleware(options: object): Promise<{ ok: boolean; data: unknown }>;
    };
    /** Runs as a procedure would, in a context of headers alone. */
    const component = (cookie: string, run: (session: never) => unknown) => {
      const ctx = { session: made.sessions.wake({ headers: new Headers({ cookie }) }) };
      const next = async ({ ctx: inner }: { ctx: { session: never } }) => ({
        ok: true,
        data: await run(inner.session),
      });
      return middleware({ ctx, type: "query", next }).then(({ data }) => data);
    };
    return { ...made, calls, component };
  }
  type Any = {
    login(s: string): void;
    rotate(): void;
    setValue(key: string, value: unknown): void;
    value(key: string): unknown;
    sessionEncode(url: string): Promise<string>;
  };
  const as = (run: (session: Any) => unknown) => run as (session: never) => unknown;

  test("nothing is rotated, although the token is old: the browser keeps its session, and nothing looks like theft", async () => {
    const { visitor, component, clock, reports } = stage();
    const { visit, state } = visitor();
    await visit((session) => session.setValue("note", "n"));
    clock.advance(2_000);
    for (let i = 0; i < 3; i++) {
      expect(
        await component(
          state.cookie,
          as((session) => session.value("note")),
        ),
      ).toBe("n");
      clock.advance(61);
    }
    expect(await visit((session) => session.value("note"))).toBe("n");
    expect(reports).toEqual([]);
  });

  test("a known session can be written to", async () => {
    const { visitor, component } = stage();
    const { visit, state } = visitor();
    await visit((session) => session.setValue("note", "n"));
    await component(
      state.cookie,
      as((session) => session.setValue("note", "m")),
    );
    expect(await visit((session) => session.value("note"))).toBe("m");
  });

  test.each([
    ["a first write", as((session) => session.setValue("note", "n"))],
    ["a login", as((session) => session.login("ann"))],
    ["a rotation", as((session) => session.rotate())],
    ["a ticket of a session that is not yet", as((session) => session.sessionEncode("/x"))],
  ])("%s throws, before the store is touched", async (_, write) => {
    const { component, calls } = stage({ tickets: true });
    expect(await codeOf(() => component("", write))).toBe("HEADERS_SENT");
    expect(calls).toEqual([]);
  });

  test("a login to a known session throws, and leaves it as it was", async () => {
    const { visitor, component } = stage();
    const { visit, state } = visitor();
    await visit((session) => session.setValue("note", "n"));
    expect(
      await codeOf(() =>
        component(
          state.cookie,
          as((session) => session.login("ann")),
        ),
      ),
    ).toBe("HEADERS_SENT");
    expect(await visit((session) => session.subject())).toBeNull();
  });

  test("a ticket in the URL stays unused", async () => {
    const { visitor, sessions } = stage({ tickets: true });
    const path = await visitor().visit((session) => {
      session.setValue("note", "handed");
      return session.sessionEncode("/x");
    });
    const woken = sessions.wake({ headers: new Headers(), url: `https://shop.example${path}` });
    expect(await woken.run((session) => session.value("note", null))).toBeNull();
    expect(await visitor().visit((session) => session.value("note", null), { path })).toBe("handed");
  });
});

test("a first write whose cookie the framework refuses throws, and leaves no record that nobody has a token of", async () => {
  const { sessions, store } = start();
  const refusal = new Error("Cookies can only be modified in a Server Action");
  const awake = sessions.wake({
    headers: new Headers(),
    setCookie: () => {
      throw refusal;
    },
  });
  const writing = awake.run((session) => session.setValue("note", "n"));
  await expect(writing).rejects.toMatchObject({ code: "HEADERS_SENT", cause: refusal });
  expect((await store.find({ limit: 10 })).items).toEqual([]);
});
