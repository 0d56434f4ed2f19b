import { defineSession } from "@catnap/shared";
import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { faultStore } from "../../testing/src/fault-store.ts";
import { createSessions } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { adapters, createApp, createBrowser, gate, shop } from "./app.ts";
import { codeOf, start } from "./plain.ts";

// What befalls a session that is used for long, in processes that come, stand still and go.

describe("a session in use", () => {
  test("does not expire because timers stand still, nor by a sweep of the process that knows better", async () => {
    const { visitor, sessions, clock } = start({ timeout: 600 });
    const { visit } = visitor();
    await visit((session) => session.setValue("note", "n"));
    for (let use = 0; use < 10; use++) {
      clock.advance(400);
      await sessions.sweep();
      expect(await visit((session) => session.value("note"))).toBe("n");
    }
  });

  test("is known to be in use by another process, although the one that knows has stood still since", async () => {
    const store = memoryStore();
    const [here, there] = [start({ timeout: 600, store }), start({ timeout: 600, store })];
    const visitor = here.visitor();
    await visitor.visit((session) => session.setValue("note", "n"));
    const elsewhere = there.visitor();
    elsewhere.state.cookie = visitor.state.cookie;
    for (let use = 0; use < 5; use++) {
      here.clock.advance(400);
      there.clock.advance(400);
      expect(await visitor.visit((session) => session.value("note"))).toBe("n");
      here.clock.advance(150);
      there.clock.advance(150);
      await there.sessions.sweep();
      expect(await elsewhere.visit((session) => session.value("note"))).toBe("n");
    }
  });

  test.each(["run", "tRPC", "snapshot"])("was used by a request that failed, too: %s", async (way) => {
    const { visitor, sessions, clock, request } = (() => {
      const stage = start({ timeout: 600 });
      const visitor = stage.visitor();
      return { ...stage, visitor, request: visitor.request };
    })();
    const app = createApp({ store: memoryStore(), timeout: 600, clock: () => clock.now });
    const server = await adapters.fetch(app);
    const browser = createBrowser(server.url);
    await browser.api.session.setValue.mutate({ key: "note", value: "n" });
    await visitor.visit((session) => session.setValue("note", "n"));
    const use: Record<string, () => Promise<unknown>> = {
      run: () => visitor.visit(() => Promise.reject(new Error("the handler's own"))),
      tRPC: () => browser.api.setThenThrow.mutate(),
      snapshot: () => sessions.wake(request()).snapshot(),
    };
    for (let i = 0; i < 3; i++) {
      clock.advance(400);
      await use[way]?.().catch(() => undefined);
    }
    clock.advance(400);
    const note =
      way === "tRPC"
        ? browser.api.session.value.query({ key: "note" })
        : visitor.visit((session) => session.value("note"));
    expect(await note).toBe("n");
    await app.sessions.close();
    await server.close();
  });

  test("reads at the price of one write for each touchInterval; 0 writes each access at once", async () => {
    for (const [touchInterval, expected] of [
      [60, 3],
      [0, 30],
    ] as const) {
      let touches = 0;
      const store = faultStore(memoryStore(), ({ method }) => {
        if (method === "touch") touches++;
        return undefined;
      });
      const { visitor, clock } = start({ store, touchInterval });
      const { visit } = visitor();
      await visit((session) => session.setValue("note", "n"));
      for (let use = 0; use < 30; use++) {
        clock.advance(6);
        await visit((session) => session.value("note"));
      }
      expect(touches).toBe(expected);
    }
  });

  test("answers before its access is written where the platform's waitUntil sees to that, and waits where it throws", async () => {
    const inner = memoryStore();
    const slow = gate();
    const store = faultStore(inner, ({ method }) =>
      method === "touch" ? { kind: "delay-before", until: slow.opened } : undefined,
    );
    const prolonged: Promise<unknown>[] = [];
    let isOutside = false;
    const waitUntil = (work: Promise<unknown>) => {
      if (isOutside) throw new Error("outside of a request");
      prolonged.push(work);
    };
    const { visitor, clock, reports } = start({ store, waitUntil });
    const { visit } = visitor();
    const identifier = await visit((session) => {
      session.setValue("note", "n");
      return session.identifier();
    });
    const readLater = () => {
      clock.advance(300);
      return visit((session) => session.value("note"));
    };
    expect(await readLater()).toBe("n");
    expect([prolonged.length, (await inner.read(identifier))?.accessedAt]).toEqual([1, clock.now - 300_000]);
    slow.open();
    await Promise.all(prolonged);
    expect((await inner.read(identifier))?.accessedAt).toBe(clock.now);
    isOutside = true;
    await readLater();
    expect((await inner.read(identifier))?.accessedAt).toBe(clock.now);
    expect(reports).toMatchObject([{ kind: "background", error: { message: "outside of a request" } }]);
  });

  test("is read although its access cannot be written, which is reported and written later", async () => {
    const inner = memoryStore();
    let down = true;
    const store = faultStore(inner, ({ method }) => (down && method === "touch" ? { kind: "fail-before" } : undefined));
    const { visitor, clock, reports, sessions } = start({ store, timeout: 600 });
    const { visit } = visitor();
    const identifier = await visit((session) => {
      session.setValue("note", "n");
      return session.identifier();
    });
    clock.advance(300);
    expect(await visit((session) => session.value("note"))).toBe("n");
    expect(reports).toMatchObject([{ kind: "background", error: { code: "STORE_UNAVAILABLE" } }]);
    down = false;
    await sessions.sweep();
    expect((await inner.read(identifier))?.accessedAt).toBe(clock.now);
  });

  test("is not kept alive by a live stream that comes back again and again", async () => {
    const clock = { now: 1_700_000_000_000 };
    const app = createApp({ timeout: 600, clock: () => clock.now });
    const server = await adapters.fetch(app);
    const browser = createBrowser(server.url);
    await browser.api.session.setValue.mutate({ key: "note", value: "n" });
    const { identifier } = await browser.api.facts.query();
    for (let i = 0; i < 3; i++) {
      clock.now += 250_000;
      await new Promise<void>((resolve) => {
        const input = { identifier, profile: "profile-1", writer: "writer-1", since: 0 };
        const subscription = browser.api.session.changes.subscribe(input, {
          onData: () => {
            subscription.unsubscribe();
            resolve();
          },
        });
      });
    }
    expect(await browser.api.previous.query()).toBe("expired");
    await app.sessions.close();
    await server.close();
  });
});

describe("today's clocks", () => {
  /** A server of before, with a session in it, and one of today on the same store. */
  async function redeployed(
    before: object,
    today: object,
    setUp?: (session: { setTimeout(seconds: number): void }) => void,
  ) {
    const store = memoryStore();
    const [old, now] = [start({ store, ...before }), start({ store, ...today })];
    const [first, second] = [old.visitor(), now.visitor()];
    const identifier = await first.visit((session) => {
      session.login("ann");
      setUp?.(session);
      return session.identifier();
    });
    second.state.cookie = first.state.cookie;
    const advance = (seconds: number) => {
      old.clock.advance(seconds);
      now.clock.advance(seconds);
    };
    return { store, identifier, now, visit: second.visit, advance };
  }

  test("bind living sessions: a shorter timeout ends them sooner, for lists and policies too", async () => {
    const { now, visit, advance } = await redeployed({ timeout: 3_600 }, { timeout: 600 });
    expect(await visit((session) => session.timeout())).toBe(600);
    advance(601);
    expect(await now.sessions.list({ subject: "ann" })).toEqual([]);
    expect(await visit((session) => session.previous())).toBe("expired");
  });

  test("a shorter lifetime ends them however busy they are", async () => {
    const { now, visit, advance } = await redeployed({ lifetime: 100_000 }, { timeout: 600, lifetime: 1_000 });
    advance(500);
    expect(await visit((session) => session.subject())).toBe("ann");
    advance(500);
    expect(await now.sessions.list({ subject: "ann" })).toEqual([]);
    expect(await visit((session) => session.previous())).toBe("expired");
  });

  test("a longer timeout is theirs from their next use on, though it only reads; a longer lifetime is not", async () => {
    const { store, identifier, visit, advance } = await redeployed(
      { timeout: 600, lifetime: 2_000 },
      { timeout: 1_500, lifetime: 90_000 },
    );
    expect(await visit((session) => session.value("theme"))).toBe("light");
    expect(await store.read(identifier)).toMatchObject({ timeoutMs: 1_500_000 });
    advance(1_499);
    expect(await visit((session) => session.subject())).toBe("ann");
    advance(502);
    expect(await visit((session) => session.previous())).toBe("expired");
  });

  test("leave a timeout that was set by setTimeout as it is", async () => {
    const { visit, advance, now } = await redeployed({ timeout: 600 }, { timeout: 100 }, (session) =>
      session.setTimeout(5_000),
    );
    advance(4_999);
    expect(await now.sessions.list({ subject: "ann" })).toHaveLength(1);
    expect(await visit((session) => session.timeout())).toBe(5_000);
  });

  test("a timeout longer than the lifetime is refused", async () => {
    const { visitor } = start({ lifetime: 7_200 });
    expect(await codeOf(() => visitor().visit((session) => session.setTimeout(7_201)))).toBe("INVALID_TIMEOUT");
    expect(await codeOf(() => visitor().visit((session) => session.setTimeout(7_200)))).toBe("fine");
  });
});

describe("intervals of more than 25 days", () => {
  test("are as long as they say: neither sweeps nor touches come 700 times a second", async () => {
    vi.useFakeTimers();
    try {
      let calls = 0;
      const store = faultStore(memoryStore(), ({ method }) => {
        if (method === "sweep" || method === "touch") calls++;
        return undefined;
      });
      const month = 30 * 86_400;
      const options = { timeout: 40 * month, lifetime: 50 * month, touchInterval: 2 * month, sweepInterval: month };
      const { visitor, sessions } = start({ store, ...options });
      const { visit } = visitor();
      await visit((session) => session.setValue("note", "n"));
      await visit((session) => session.value("note"));
      await vi.advanceTimersByTimeAsync((month - 1) * 1_000);
      expect(calls).toBe(0);
      await vi.advanceTimersByTimeAsync(2_000);
      expect(calls).toBe(2);
      await sessions.close();
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("close", () => {
  test("waits for what is under way, which is kept", async () => {
    const store = memoryStore();
    const { open, opened } = gate();
    const { visitor, sessions } = start({ store });
    const { visit, state } = visitor();
    const writing = visit(async (session) => {
      await opened;
      session.setValue("note", "kept");
      return session.identifier();
    });
    const closing = sessions.close();
    let closed = false;
    void closing.then(() => {
      closed = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(closed).toBe(false);
    open();
    await writing;
    await closing;
    expect(state.cookie).not.toBe("");
  });

  test("gives up after ten seconds, and says how many requests it leaves behind", async () => {
    vi.useFakeTimers();
    try {
      const { visitor, sessions, reports } = start();
      const never = visitor().visit(() => new Promise(() => undefined));
      never.catch(() => undefined);
      const closing = sessions.close();
      await vi.advanceTimersByTimeAsync(10_000);
      await closing;
      expect(reports).toMatchObject([
        { kind: "background", error: { message: expect.stringContaining("1 requests") } },
      ]);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("two apps on one store", () => {
  const blog = defineSession({ name: "blog", shared: { note: z.string() } });

  function apps(options: object = {}) {
    const store = memoryStore();
    const clock = { now: 1_700_000_000_000 };
    const common = { store, cookie: { name: "sid" }, sweepInterval: 0, clock: () => clock.now, ...options };
    const expired: string[] = [];
    const hooks = { expiring: (session: { identifier(): string }) => void expired.push(session.identifier()) };
    const one = createSessions({ definition: shop, ...common, hooks });
    const two = createSessions({ definition: blog, ...common });
    const visit = async (sessions: typeof one | typeof two, cookie: string, login?: string) => {
      let seen: [string, string | null] = ["", null];
      const request = new Request("https://shop.example/", { headers: { cookie } });
      const response = await sessions.run(
        request,
        (session: {
          login(s: string): void;
          previous(): string;
          subject(): string | null;
          setValue(k: "note", v: string): void;
        }) => {
          seen = [session.previous(), session.subject()];
          if (login !== undefined) session.login(login);
          return new Response("ok");
        },
      );
      return { seen, cookie: response.headers.getSetCookie()[0]?.split(";")[0] ?? cookie };
    };
    return { store, clock, one, two, visit, expired };
  }

  test("take no session of each other's, and say so without a look at the store", async () => {
    const { store, one, two, visit } = apps();
    const { cookie } = await visit(one, "", "ann");
    const read = vi.spyOn(store, "read");
    expect((await visit(two, cookie)).seen).toEqual(["unknown", null]);
    expect(read).not.toHaveBeenCalled();
    expect((await visit(one, cookie)).seen).toEqual(["none", "ann"]);
  });

  test("end, list and count their own: revokeEveryone, revokeAll, revoke, list and maxSessions", async () => {
    const { one, two, visit, store } = apps({ maxSessions: { perSubject: 1, whenFull: "reject" } });
    const [ofOne, ofTwo] = [await visit(one, "", "ann"), await visit(two, "", "ann")];
    const identifierOf = ({ cookie }: { cookie: string }) => cookie.slice(4).split(".")[0] ?? "";
    expect((await two.list({ subject: "ann" })).map(({ identifier }) => identifier)).toEqual([identifierOf(ofTwo)]);
    expect(await two.revoke(identifierOf(ofOne))).toBe(false);
    expect(await two.revokeAll({ subject: "ann" })).toBe(1);
    await visit(two, "", "bob");
    expect(await two.revokeEveryone()).toBe(1);
    expect((await visit(one, ofOne.cookie)).seen).toEqual(["none", "ann"]);
    expect((await store.find({ limit: 10 })).items).toHaveLength(1);
  });

  test("hear of their own expired sessions alone", async () => {
    const { one, two, visit, clock, expired, store } = apps();
    const ofOne = await visit(one, "", "ann");
    await visit(two, "", "ann");
    clock.now += 4_000_000;
    expect(await one.sweep()).toBe(1);
    expect(expired).toEqual([ofOne.cookie.slice(4).split(".")[0]]);
    expect((await store.find({ limit: 10 })).items).toHaveLength(1);
  });

  test("have cookies of their own names", () => {
    const plain = createSessions({ definition: blog, store: memoryStore() });
    expect(plain.policy().cookie.name).toBe("__Host-blog");
    expect(createSessions({ definition: shop, store: memoryStore() }).policy().cookie.name).toBe("__Host-catnap");
  });
});
