import { Session, SessionError, type SessionSnapshot } from "@catnap/shared";
import { type Fault, faultStore, type StoreCall } from "@catnap/testing";
import { afterEach, describe, expect, test } from "vitest";
import type { SessionEvent, SessionStore } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { createApp, type Shop, shop } from "./app.ts";
import { everyStore } from "./servers/every-store.ts";

// A login that ends the session at hand, whoever's it is, and begins the subject's own.

const stores = await everyStore();
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const outcome = (promise: Promise<unknown>) =>
  promise.then(
    () => "ok",
    (error: unknown) => SessionError.from(error)?.code ?? String(error),
  );

type Options = Parameters<typeof createApp>[0];

/** A server, and browsers that talk to it by `wake`. */
function serve(store: SessionStore, options: Options = {}) {
  const reports: SessionEvent[] = [];
  const { sessions } = createApp({ store, report: (event) => void reports.push(event), ...options });
  const browser = (token?: string) => {
    const jar = { token };
    const request = () =>
      new Request("https://shop.example/", jar.token ? { headers: { cookie: `sid=${jar.token}` } } : {});
    const awake = () => sessions.wake(request());
    const run = async <R>(work: (session: Session<Shop>) => R | Promise<R>): Promise<R> => {
      const here = awake();
      try {
        return await here.run(work);
      } finally {
        const [cookie] = here.headers.getSetCookie();
        if (cookie) jar.token = /max-age=0/i.test(cookie) ? undefined : /^sid=([^;]*)/.exec(cookie)?.[1];
      }
    };
    const see = () =>
      run((session) => ({ subject: session.subject(), identifier: session.identifier(), values: session.values() }));
    return { jar, run, see, awake };
  };
  return { sessions, reports, browser };
}

const cart = [{ sku: "a", count: 1 }];
const keep = ["cart"] as const;

/** A browser with a session of Ann's, or of nobody's, and a cart in it. */
async function withCart({ browser }: ReturnType<typeof serve>, subject?: string) {
  const here = browser();
  await here.run((session) => {
    if (subject !== undefined) session.login(subject);
    session.setValue("cart", cart);
    session.setValue("note", "of before");
    session.setValue("csrfSeed", "of before");
  });
  const { identifier } = await here.see();
  return { ...here, identifier, before: here.jar.token };
}

describe("login with replace", () => {
  test("begins the subject's own session, with what is kept and nothing else, and ends the one at hand, whoever's it was", async () => {
    for (const subject of [undefined, "ann", "bob"]) {
      const store = memoryStore();
      const server = serve(store);
      const here = await withCart(server, subject);
      const told = await here.run((session) => {
        session.setValue("note", "of the same transaction, before");
        session.login("bob", { replace: true, keep });
        expect(session.values()).toEqual({ cart });
        expect([session.subject(), session.isNew(), session.hasValue("note")]).toEqual(["bob", true, false]);
        session.setValue("user", { id: "bob", name: "Bob" });
        return session.identifier();
      });
      expect(told).not.toBe(here.identifier);
      expect(await here.see()).toEqual({
        subject: "bob",
        identifier: told,
        values: { cart, user: { id: "bob", name: "Bob" } },
      });
      expect(await store.read(here.identifier)).toBeNull();
      // The token of before opens nothing.
      expect(await server.browser(here.before).see()).toMatchObject({ subject: null, values: {} });
      expect(server.reports).toEqual([]);
    }
  });

  test("keeps nothing unless it is named, and merges what the transaction itself did to what is kept", async () => {
    const server = serve(memoryStore());
    const here = await withCart(server);
    await here.run((session) => session.login("ann", { replace: true }));
    expect((await here.see()).values).toEqual({});
    const there = await withCart(server);
    await there.run((session) => {
      session.update("visits", (n) => n + 1);
      session.login("ann", { replace: true, keep: ["cart", "visits", "seen"] });
      session.update("visits", (n) => n + 1);
      session.delValue("cart");
    });
    expect((await there.see()).values).toEqual({ visits: 2 });
  });

  test("is an ordinary login for a visitor without a session", async () => {
    const { browser } = serve(memoryStore());
    const here = browser();
    await here.run((session) => {
      session.setValue("note", "first");
      session.login("ann", { replace: true, keep });
    });
    expect(await here.see()).toMatchObject({ subject: "ann", values: { note: "first" } });
  });

  test("without it another subject's session is SUBJECT_MISMATCH, and the error names it", async () => {
    const server = serve(memoryStore());
    const here = await withCart(server, "ann");
    const refused = here.run((session) => session.login("bob"));
    await expect(refused).rejects.toMatchObject({ code: "SUBJECT_MISMATCH" });
    await expect(refused).rejects.toThrow(/replace: true/);
    expect(await here.see()).toMatchObject({ subject: "ann", identifier: here.identifier });
  });

  test("takes no option that means nothing", async () => {
    const server = serve(memoryStore());
    const here = await withCart(server);
    for (const options of [
      { replace: "yes" },
      { keep: ["cart"] },
      { replaces: true },
      { replace: true, keep: "cart" },
      5,
    ])
      expect(await outcome(here.run((session) => session.login("bob", options as never)))).toBe("INVALID_OPTION");
    // @ts-expect-error No value of the definition.
    expect(await outcome(here.run((session) => session.login("bob", { replace: true, keep: ["crat"] })))).toBe(
      "UNKNOWN_KEY",
    );
    const twice = here.run((session) => {
      session.login("bob", { replace: true, keep });
      session.login("bob", { replace: true });
    });
    expect(await outcome(twice)).toBe("INVALID_OPTION");
    expect(await here.see()).toMatchObject({ subject: null, identifier: here.identifier, values: { cart } });
  });

  test("a snapshot in the same request shows the new session alone", async () => {
    const server = serve(memoryStore());
    const here = await withCart(server, "ann");
    const awake = here.awake();
    let snapshot: SessionSnapshot | undefined;
    const identifier = await awake.run(async (session) => {
      session.login("bob", { replace: true, keep });
      snapshot = await awake.snapshot();
      return session.identifier();
    });
    expect(snapshot).toMatchObject({ identifier, rev: 0, facts: null });
    expect(Object.keys(snapshot?.entries ?? {})).toEqual(["cart"]);
    const after = await awake.snapshot();
    expect(after).toMatchObject({ identifier, rev: 1 });
    expect(Object.keys(after.entries)).toEqual(["cart"]);
  });

  test("save puts it through at once, and the transaction goes on in the new session", async () => {
    const store = memoryStore();
    const server = serve(store);
    const here = await withCart(server, "ann");
    const failed = here.run(async (session) => {
      session.login("bob", { replace: true, keep });
      await session.save();
      session.setValue("note", "must not stay");
      throw new Error("afterwards");
    });
    await expect(failed).rejects.toThrow("afterwards");
    expect(await here.see()).toMatchObject({ subject: "bob", values: { cart } });
    expect(await store.read(here.identifier)).toBeNull();
  });

  test("a throw, and an invalidate, leave no new session", async () => {
    const store = memoryStore();
    const server = serve(store);
    const here = await withCart(server, "ann");
    const before = await store.read(here.identifier);
    const failed = here.run((session) => {
      session.login("bob", { replace: true, keep });
      throw new Error("afterwards");
    });
    await expect(failed).rejects.toThrow("afterwards");
    expect((await store.read(here.identifier))?.entries).toEqual(before?.entries);
    await here.run(async (session) => {
      session.login("bob", { replace: true, keep });
      await session.invalidate();
    });
    expect((await store.find({ limit: 10 })).items).toEqual([]);
  });

  test("hooks that write when the session sleeps write to the new one, and what another subject's left is not seen there", async () => {
    const seen: unknown[] = [];
    class Greeted extends Session<Shop> {
      override async sleep() {
        seen.push(this.values());
        this.setValue("theme", "dark");
        await super.sleep();
      }
    }
    const server = serve(memoryStore(), { session: Greeted });
    const here = await withCart(server, "ann");
    seen.length = 0;
    await here.run((session) => session.login("bob", { replace: true, keep }));
    expect(seen).toEqual([{ cart }]);
    expect((await here.see()).values).toEqual({ cart, theme: "dark" });
  });

  test("respects maxSessions: a login that is refused changes nothing, and a session that is replaced does not count", async () => {
    const store = memoryStore();
    const maxSessions = { perSubject: 1, whenFull: "reject" } as const;
    const server = serve(store, { maxSessions });
    const anns = await withCart(server, "ann");
    const here = await withCart(server, "bob");
    const before = await store.read(here.identifier);
    const token = here.jar.token;
    const refused = here.run((session) => session.login("ann", { replace: true, keep }));
    expect(await outcome(refused)).toBe("TOO_MANY_SESSIONS");
    expect((await store.read(here.identifier))?.entries).toEqual(before?.entries);
    expect(here.jar.token).toBe(token);
    await anns.run((session) => session.login("ann", { replace: true, keep }));
    expect(await anns.see()).toMatchObject({ subject: "ann", values: { cart } });
    expect(await server.sessions.list({ subject: "ann" })).toHaveLength(1);
  });

  test("goes on from no token that was rotated, and ends with a session that was revoked meanwhile", async () => {
    const store = memoryStore();
    const server = serve(store);
    const here = await withCart(server, "ann");
    const old = server.browser(here.before);
    await here.run((session) => session.rotate());
    await here.see();
    expect(await outcome(old.run((session) => session.login("bob", { replace: true, keep })))).toBe("TOKEN_ROTATED");
    // As a rotation in another process comes between.
    const late = server.browser(here.jar.token).run(async (session) => {
      await here.run((other) => other.rotate());
      await here.see();
      session.login("bob", { replace: true, keep });
    });
    expect(await outcome(late)).toBe("TOKEN_ROTATED");
    const revoked = here.run(async (session) => {
      session.login("bob", { replace: true, keep });
      await server.sessions.revoke(here.identifier);
    });
    expect(await outcome(revoked)).toBe("SESSION_GONE");
    expect((await store.find({ limit: 10 })).items).toEqual([]);
  });

  test("leaves no session larger than the limit", async () => {
    const store = memoryStore();
    const limits = { ...shop.limits, sessionBytes: 100_000 };
    const server = serve(store, { definition: { ...shop, limits } });
    const here = await withCart(server);
    const heavy = here.run((session) => {
      session.login("ann", { replace: true, keep });
      for (const key of ["anything", "tree"] as const) session.setValue(key, "x".repeat(60_000));
    });
    expect(await outcome(heavy)).toBe("LIMIT_EXCEEDED");
    expect(await here.see()).toMatchObject({ subject: null, values: { cart } });
    expect((await store.find({ limit: 10 })).items).toHaveLength(1);
  });
});

describe("when the store fails in the middle of a replacement", () => {
  const cases: [string, (call: StoreCall, old: string) => boolean][] = [
    ["creating the new session", ({ method, arguments: [key] }, old) => method === "write" && key !== old],
    ["sealing the old one", ({ method, arguments: [key] }, old) => method === "write" && key === old],
    ["deleting the old one", ({ method, arguments: [key] }, old) => method === "delete" && key === old],
  ];
  for (const [what, isIt] of cases) {
    for (const kind of ["fail-before", "fail-after"] as const) {
      test(`${what}, ${kind}: no value is lost, and at most one session with the cart opens`, async () => {
        const rests = memoryStore();
        let old = "";
        let armed = false;
        const fault = (call: StoreCall): Fault | undefined => {
          if (!armed || !isIt(call, old)) return undefined;
          armed = false;
          return { kind };
        };
        const server = serve(faultStore(rests, fault));
        const here = await withCart(server, "ann");
        old = here.identifier;
        armed = true;
        const result = await outcome(here.run((session) => session.login("bob", { replace: true, keep })));
        expect(armed).toBe(false);
        const stays = what.startsWith("creating");
        expect(result).toBe(stays ? "STORE_UNAVAILABLE" : "ok");
        expect(await here.see()).toMatchObject({ subject: stays ? "ann" : "bob", values: { cart } });
        // What is tried again in the background is tried within a second or so.
        await expect.poll(async () => (await rests.find({ limit: 10 })).items.length, { timeout: 5_000 }).toBe(1);
        const stolen = await server.browser(here.before).see();
        expect(stolen.values).toEqual(stays ? (await here.see()).values : {});
        expect(server.reports.every(({ kind: told }) => told === "background")).toBe(true);
        expect(server.reports.length).toBe(stays ? 0 : 1);
      });
    }
  }

  test("a process that dies before the seal leaves the old session as it was, and after it one that opens to nobody", async () => {
    for (const dies of ["before the seal", "after the seal"]) {
      const rests = memoryStore();
      let old = "";
      const never = new Promise<never>(() => undefined);
      const fault = (call: StoreCall): Fault | undefined => {
        if (call.arguments[0] !== old) return undefined;
        const here = dies === "before the seal" ? "write" : "delete";
        return call.method === here ? { kind: "delay-before", until: never } : undefined;
      };
      const dying = serve(faultStore(rests, fault));
      const here = await withCart(dying, "ann");
      old = here.identifier;
      void here.run((session) => session.login("bob", { replace: true, keep }));
      await expect.poll(async () => (await rests.find({ limit: 10 })).items.length).toBe(2);
      if (dies === "after the seal")
        await expect.poll(async () => (await rests.read(old))?.entries.has("~tokens")).toBe(false);
      const other = serve(rests);
      const seen = await other.browser(here.before).see();
      expect(seen).toMatchObject(dies === "before the seal" ? { subject: "ann", values: { cart } } : { values: {} });
      if (dies === "before the seal") continue;
      expect((await rests.read(old))?.entries.get("cart")?.value).toBeNull();
      expect(await outcome(other.sessions.open(old, (session) => session.setValue("cart", [])))).toBe("SESSION_GONE");
    }
  });
});

for (const [name, makeStore] of Object.entries(stores)) {
  describe.skipIf(!makeStore)(`a replacement on ${name}`, () => {
    if (!makeStore) return;

    test("loses no update of what is kept that was told to be in, wherever it came from", async () => {
      const [store, other = store] = await makeStore(2);
      const servers = [serve(store), serve(other)] as const;
      for (let round = 0; round < 5; round++) {
        const here = await withCart(servers[0]);
        let counted = 0;
        const visit = async (i: number) => {
          const twin = servers[i % 2 === 0 ? 0 : 1].browser(here.before);
          const done = await outcome(
            twin.run((session) => {
              if (session.identifier() !== here.identifier) throw new SessionError("SESSION_GONE", "too late");
              session.update("visits", (n) => n + 1);
            }),
          );
          if (done === "ok") counted++;
          else expect(done).toBe("SESSION_GONE");
        };
        const visits = Array.from({ length: 20 }, (_, i) => visit(i));
        await here.run((session) => session.login("bob", { replace: true, keep: ["visits", "cart"] }));
        await Promise.all(visits);
        expect((await here.see()).values).toEqual({ cart, ...(counted > 0 && { visits: counted }) });
        expect(await store.read(here.identifier)).toBeNull();
      }
    });

    test("of one session by several requests at once: one is in, and one session is left", async () => {
      const [store, other = store] = await makeStore(2);
      const maxSessions = { perSubject: 50, whenFull: "endOldest" } as const;
      const servers = [serve(store, { maxSessions }), serve(other, { maxSessions })] as const;
      const here = await withCart(servers[0], "ann");
      const twins = Array.from({ length: 8 }, (_, i) => servers[i % 2 === 0 ? 0 : 1].browser(here.before));
      const outcomes = await Promise.all(
        twins.map(({ run }) => outcome(run((session) => session.login("bob", { replace: true, keep })))),
      );
      // One whose request came when the old session had ended already is a visitor's login.
      const winners = twins.filter((_, i) => outcomes[i] === "ok");
      const seen = await Promise.all(winners.map(({ see }) => see()));
      expect(seen.filter(({ values }) => values.cart !== undefined)).toHaveLength(1);
      expect(outcomes.filter((each) => each !== "ok" && each !== "SESSION_GONE")).toEqual([]);
      expect(await servers[0].sessions.list({ subject: "bob" })).toHaveLength(winners.length);
      expect(await servers[0].sessions.list({ subject: "ann" })).toEqual([]);
    });
  });
}
