import { defineSession, Session, type Transaction } from "@catnap/shared";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { SessionsOptions } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { type Shop, shop } from "./app.ts";
import { codeOf, start } from "./plain.ts";

describe("sessions.run", () => {
  test("commits when the handler returns, and not when it throws", async () => {
    const { visit } = start().visitor();
    await visit((session) => session.setValue("note", "kept"));
    await expect(
      visit((session) => {
        session.setValue("note", "dropped");
        throw new Error("handler failed");
      }),
    ).rejects.toThrow("handler failed");
    expect(await visit((session) => session.value("note"))).toBe("kept");
  });

  test("refuses a cross-site write, and lets a cross-site read be", async () => {
    const { visit } = start().visitor();
    const foreign = { headers: { "sec-fetch-site": "cross-site" } };
    expect(await codeOf(() => visit((session) => session.setValue("note", "x"), foreign))).toBe("CROSS_SITE");
    expect(await codeOf(() => visit(() => null, { ...foreign, method: "POST" }))).toBe("CROSS_SITE");
    expect(await codeOf(() => visit((session) => session.value("theme"), foreign))).toBe("fine");
  });

  test("lets the origins that were listed write", async () => {
    const { visit } = start({ origins: ["https://app.example"] }).visitor();
    const listed = { method: "POST", headers: { "sec-fetch-site": "same-site", origin: "https://app.example" } };
    expect(await codeOf(() => visit((session) => session.setValue("note", "x"), listed))).toBe("fine");
  });
});

describe("the Session on the server", () => {
  test("has Webware's methods", async () => {
    const { visitor, clock } = start({ timeout: 600 });
    const { visit } = visitor();
    const first = await visit((session) => {
      expect(session.hasValue("theme")).toBe(false);
      expect(session.value("theme")).toBe("light");
      expect(session.value("note", "none yet")).toBe("none yet");
      expect(() => session.value("note")).toThrow(expect.objectContaining({ code: "NO_SUCH_VALUE", key: "note" }));
      expect(() => session.delValue("note")).toThrow(expect.objectContaining({ code: "NO_SUCH_VALUE" }));
      expect(session.isDirty()).toBe(false);
      session.setValue("theme", "dark");
      expect(session.isDirty()).toBe(true);
      expect([...session]).toEqual([["theme", "dark"]]);
      expect(session.values()).toEqual({ theme: "dark" });
      expect([session.isNew(), session.numTransactions(), session.timeout(), session.isExpired()]).toEqual([
        true,
        1,
        600,
        false,
      ]);
      return session.identifier();
    });
    clock.advance(5);
    await visit((session) => {
      expect(session.identifier()).toBe(first);
      expect(first).toMatch(/^[\w-]{22,80}$/);
      expect([session.isNew(), session.numTransactions()]).toEqual([false, 2]);
      expect(session.lastAccessTime() - session.creationTime()).toBe(0);
      session.delValue("theme");
      session.setTimeout(60);
    });
    await visit((session) => {
      expect([session.values(), session.timeout(), session.numTransactions()]).toEqual([{}, 60, 3]);
      expect(session.lastAccessTime() - session.creationTime()).toBe(5_000);
      expect(session.flash("note")).toBeUndefined();
      session.setValue("note", "once");
      expect(session.flash("note")).toBe("once");
      expect(session.hasValue("note")).toBe(false);
    });
  });

  test("freezes what it hands out, so that a forgotten setValue shows at once", async () => {
    const { visit } = start().visitor();
    await visit((session) => {
      session.setValue("cart", [{ sku: "a", count: 1 }]);
      expect(() => session.value("cart").push({ sku: "b", count: 1 })).toThrow(TypeError);
      expect(() => Object.assign(session.value("cart")[0] ?? {}, { count: 2 })).toThrow(TypeError);
    });
  });

  test("counts read-only transactions without a write of its own for each", async () => {
    let writes = 0;
    const store = memoryStore();
    const { write } = store;
    const { visitor, sessions } = start({
      store: {
        ...store,
        write: (...args) => {
          writes++;
          return write(...args);
        },
      },
    });
    const { visit } = visitor();
    const identifier = await visit((session) => {
      session.setValue("note", "n");
      return session.identifier();
    });
    for (let i = 0; i < 3; i++) await visit((session) => session.value("note"));
    expect(await visit((session) => session.numTransactions())).toBe(5);
    expect(writes).toBe(1);
    await sessions.close();
    expect(await store.read(identifier).catch(() => null)).toBeNull(); // closed with the sessions
  });

  test("setDirty with nothing changed commits the access time; setDirty(false) takes it back", async () => {
    const { visitor, store, clock } = start();
    const { visit } = visitor();
    const identifier = await visit((session) => {
      session.setValue("note", "n");
      return session.identifier();
    });
    clock.advance(10);
    await visit((session) => session.setDirty());
    expect(await store.read(identifier)).toMatchObject({ rev: 2, accessedAt: clock.now, transactions: 2 });
    await visit((session) => {
      session.setDirty();
      session.setDirty(false);
    });
    expect(await store.read(identifier)).toMatchObject({ rev: 2 });
  });

  test("update runs again on conflict, also for a key without a merge", async () => {
    const { visitor } = start();
    const { visit, state } = visitor();
    await visit((session) => session.setValue("note", ""));
    const append = (letter: string) => visit((session) => session.update("note", (note) => note + letter));
    await Promise.all(["a", "b", "c", "d"].map(append));
    expect([...(await visit((session) => session.value("note")))].sort()).toEqual(["a", "b", "c", "d"]);
    expect(state.setCookies).toHaveLength(1);
  });

  test("two set values of a key with a merge are joined, of one without the later stands", async () => {
    const { visit } = start().visitor();
    await visit((session) => session.setValue("note", "base"));
    const write = (sku: string) =>
      visit(async (session) => {
        const cart = session.value("cart");
        await Promise.resolve();
        session.setValue("cart", [...cart, { sku, count: 1 }]);
        session.setValue("note", sku);
      });
    await Promise.all([write("a"), write("b")]);
    const { cart, note } = await visit((session) => session.values());
    expect(cart?.map(({ sku }) => sku).sort()).toEqual(["a", "b"]);
    expect(["a", "b"]).toContain(note);
  });

  test("save commits in mid-transaction: a later throw no longer takes it back", async () => {
    const { visit } = start().visitor();
    await visit((session) => session.setValue("note", "before"));
    await expect(
      visit(async (session) => {
        session.setValue("note", "saved");
        await session.save();
        session.setValue("note", "lost");
        throw new Error("later");
      }),
    ).rejects.toThrow("later");
    expect(await visit((session) => session.value("note"))).toBe("saved");
  });

  test("invalidate ends it: this object throws, the next transaction starts anew, nothing revives it", async () => {
    const { visitor, store } = start();
    const { visit, state } = visitor();
    const identifier = await visit((session) => {
      session.setValue("note", "n");
      return session.identifier();
    });
    const { cookie } = state;
    await visit(async (session) => {
      await session.invalidate();
      for (const use of [
        () => session.value("note"),
        () => session.setValue("note", "x"),
        () => session.setTimeout(60),
        () => session.values(),
      ]) {
        expect(use).toThrow(expect.objectContaining({ code: "SESSION_GONE" }));
      }
    });
    expect(state.cookie).toBe("");
    expect(await store.read(identifier)).toBeNull();
    state.cookie = cookie; // a replay
    expect(await visit((session) => [session.previous(), session.values()])).toEqual(["unknown", {}]);
    const next = await visit((session) => {
      session.setValue("note", "new");
      return session.identifier();
    });
    expect(next).not.toBe(identifier);
  });

  test("setTimeout(0) expires it at once; a bad timeout changes nothing", async () => {
    const { visit } = start().visitor();
    await visit((session) => session.setValue("note", "n"));
    for (const seconds of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(await codeOf(() => visit((session) => session.setTimeout(seconds)))).toBe("INVALID_TIMEOUT");
    }
    expect(await visit((session) => session.timeout())).toBe(3_600);
    await visit((session) => session.setTimeout(0));
    expect(await visit((session) => [session.previous(), session.values()])).toEqual(["expired", {}]);
  });

  test("reports itself without secrets and without its token", async () => {
    const { visit, state } = start().visitor();
    await visit((session) => session.setValue("csrfSeed", "canary-secret"));
    await visit((session) => {
      const written: unknown[] = [];
      session.writeExceptionReport({
        writeTitle: (title) => written.push(title),
        writeAttrs: (...attributes) => written.push(attributes),
      });
      const text = JSON.stringify([written, session, String(session)]);
      expect(text).toContain(session.identifier());
      expect(text).toContain("(masked)");
      expect(text).not.toContain("canary-secret");
      expect(text).not.toContain(state.cookie.split(".")[1]);
    });
  });

  test("refuses to grow over limits.sessionBytes, whole", async () => {
    const roomy = {
      ...shop,
      keys: defineSession({ shared: { note: z.string(), cart: z.array(z.unknown()) }, limits: { valueBytes: 900_000 } })
        .keys,
    };
    const { visit } = start({ definition: roomy }).visitor();
    const note = "n".repeat(600_000);
    await visit((session) => session.setValue("note", note));
    const cart = Array.from({ length: 20_000 }, (_, i) => ({ sku: `sku-${i}`, count: 1 }));
    expect(await codeOf(() => visit((session) => session.setValue("cart", cart)))).toBe("LIMIT_EXCEEDED");
    expect(await visit((session) => session.values())).toEqual({ note });
  });
});

describe("tokens", () => {
  test("rest as SHA-256 only, and rotate while the identifier stays", async () => {
    const { visitor, store, clock, reports } = start({ lifetime: 1_000_000, timeout: 90_000 });
    const { visit, state } = visitor();
    const identifier = await visit((session) => {
      session.setValue("note", "n");
      return session.identifier();
    });
    const first = state.cookie;
    expect(JSON.stringify([...((await store.read(identifier))?.entries ?? [])])).not.toContain(first.split(".")[1]);
    const end = (await store.read(identifier))?.endsAt;
    await visit((session) => session.rotate());
    expect(state.cookie).not.toBe(first);
    expect((await store.read(identifier))?.endsAt).toBe(end);
    await visit((session) => session.value("note"));
    state.cookie = first;
    expect(await visit((session) => session.value("note"))).toBe("n");
    clock.advance(60);
    expect(await visit((session) => [session.previous(), session.values()])).toEqual(["unknown", {}]);
    expect(reports).toEqual([{ kind: "reuse", identifier, subject: null, ended: false }]);
  });

  test("rotations at once end in one valid token", async () => {
    const { visitor } = start();
    const { visit, state } = visitor();
    await visit((session) => session.setValue("note", "n"));
    await Promise.all([1, 2, 3].map(() => visit((session) => session.rotate())));
    expect(state.setCookies).toHaveLength(2);
    expect(await visit((session) => session.value("note"))).toBe("n");
  });

  test("older than the renewal are rotated by themselves, and the lifetime ends all the same", async () => {
    const { visitor, clock } = start({ timeout: 100_000, renewal: 1_000, lifetime: 100_000 });
    const { visit, state } = visitor();
    await visit((session) => session.setValue("note", "n"));
    const first = state.cookie;
    clock.advance(999);
    await visit((session) => session.value("note"));
    expect(state.cookie).toBe(first);
    clock.advance(1);
    await visit((session) => session.value("note"));
    expect(state.cookie).not.toBe(first);
    for (let day = 0; day < 9; day++) {
      clock.advance(10_000);
      expect(await visit((session) => session.value("note"))).toBe("n");
    }
    clock.advance(10_000);
    expect(await visit((session) => session.previous())).toBe("expired");
  });
});

describe("the life of a session", () => {
  test("is awake, respond, sleep, once per transaction, and what they write is kept", async () => {
    const turns: string[] = [];
    const { visitor, sessions, clock } = start({
      timeout: 100,
      hooks: {
        awake: (session, { reason }) => {
          turns.push(`awake ${reason}`);
          session.update("visits", (n) => n + 1);
        },
        respond: () => void turns.push("respond"),
        sleep: async (session) => {
          turns.push("sleep");
          await Promise.resolve();
          session.setValue("note", `slept ${session.value("visits")}`);
        },
        expiring: (session, reason) => void turns.push(`expiring by ${reason}: ${session.value("note")}`),
      },
    });
    const { visit } = visitor();
    expect(await visit((session) => session.value("visits"))).toBe(1);
    expect(turns).toEqual(["awake /page", "respond", "sleep"]);
    expect(await visit((session) => session.value("note"))).toBe("slept 1");
    clock.advance(100);
    expect(await sessions.sweep()).toBe(1);
    expect(turns.at(-1)).toBe("expiring by timeout: slept 2");
  });

  test("may be a subclass", async () => {
    class ShopSession extends Session<Shop> {
      override async awake(trans: Transaction): Promise<void> {
        await super.awake(trans);
        this.update("visits", (n) => n + 1);
      }
      override async sleep(trans: Transaction): Promise<void> {
        this.setValue("note", "subclass slept");
        await super.sleep(trans);
      }
    }
    const { visitor } = start({ session: ShopSession });
    const { visit } = visitor();
    await visit((session) => expect(session).toBeInstanceOf(ShopSession));
    expect(await visit((session) => session.values())).toEqual({ visits: 2, note: "subclass slept" });
  });
});

describe("subjects", () => {
  test("are listed and revoked without a token in sight", async () => {
    const { visitor, sessions } = start();
    const devices = [visitor(), visitor(), visitor()];
    for (const { visit } of devices) await visit((session) => session.login("ann"));
    await visitor().visit((session) => session.login("bob"));
    const listed = await sessions.list({ subject: "ann" });
    expect(listed).toHaveLength(3);
    for (const { state } of devices) expect(JSON.stringify(listed)).not.toContain(state.cookie.split(".")[1]);
    const mine = await devices[0]?.visit((session) => session.identifier());
    expect(await sessions.revokeAll({ subject: "ann", ...(mine ? { except: mine } : {}) })).toBe(2);
    expect(await devices[1]?.visit((session) => session.subject())).toBeNull();
    expect(await devices[0]?.visit((session) => session.subject())).toBe("ann");
    expect(await sessions.list({ subject: "bob" })).toHaveLength(1);
  });

  test("that are missing are an error, never everybody", async () => {
    const { sessions } = start();
    for (const subject of [undefined, "", null]) {
      expect(await codeOf(() => sessions.revokeAll({ subject: subject as string }))).toBe("INVALID_OPTION");
    }
  });

  test("of another cannot take a session over", async () => {
    const { visit } = start().visitor();
    await visit((session) => session.login("ann"));
    expect(await codeOf(() => visit((session) => session.login("bob")))).toBe("SUBJECT_MISMATCH");
    expect(await visit((session) => session.subject())).toBe("ann");
  });
});

describe("createSessions refuses", () => {
  const bad: Record<string, Partial<SessionsOptions<Shop>>> = {
    "no definition": { definition: undefined as never },
    "no store": { store: {} as never },
    "a timeout of nothing": { timeout: 0 },
    "an endless timeout": { timeout: Number.POSITIVE_INFINITY },
    "a timeout beyond the lifetime": { timeout: 10, lifetime: 5 },
    "a grace that is a second password": { grace: 301 },
    "a grace as long as the renewal": { grace: 60, renewal: 60 },
    "an origin with a path": { origins: ["https://shop.example/"] },
    "an origin that is a pattern": { origins: ["https://*.shop.example"] },
    "an insecure cookie for the world": { cookie: { secure: false } },
    "an insecure cookie for an https origin": { origins: ["https://shop.example"], cookie: { secure: false } },
    "SameSite=None without Secure": { origins: ["http://localhost:3000"], cookie: { sameSite: "none" } },
    "a __Host- name with a domain": { cookie: { name: "__Host-x", domain: "shop.example" } },
    "a cookie name that is none": { cookie: { name: "a b" } },
    "an empty context key": { contextKey: "" as never },
  };
  for (const [name, options] of Object.entries(bad)) {
    test(name, async () => expect(await codeOf(() => start(options))).toBe("INVALID_OPTION"));
  }
});

test("the cookie is __Host- and Secure by default, and plain only for this machine", async () => {
  const byDefault = start({ cookie: {} }).visitor();
  await byDefault.visit((session) => session.setValue("note", "n"));
  expect(byDefault.state.setCookies[0]).toMatch(
    /^__Host-catnap=.*; Max-Age=1209600; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
  );
  const local = start({ cookie: {}, origins: ["http://localhost:3000"] }).visitor();
  await local.visit((session) => session.setValue("note", "n"));
  expect(local.state.setCookies[0]).toMatch(/^catnap=.*HttpOnly; SameSite=Lax$/);
});

test("the snapshot of a page holds no secret", async () => {
  const { sessions, visitor } = start();
  const { visit, request } = visitor();
  await visit((session) => {
    session.setValue("theme", "dark");
    session.setValue("csrfSeed", "canary-secret");
  });
  const snapshot = await sessions.wake(request()).snapshot();
  expect(snapshot.entries).toEqual({ theme: { value: '"dark"', rev: 1 } });
  expect(snapshot.facts).toMatchObject({ transactions: 2, timeout: 3600 });
});
