import { noteName, SessionError } from "@catnap/shared";
import superjson from "superjson";
import { afterEach, describe, expect, test } from "vitest";
import type { Visitor } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { adapters, createApp, createBrowser, shop } from "./app.ts";
import { bombs } from "./hostile.ts";
import { push } from "./pushes.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const outcome = (promise: Promise<unknown>) =>
  promise.then(
    () => "ok",
    (error: unknown) => SessionError.from(error)?.code ?? String(error),
  );

/** What a server may make of a hostile value, in time: anything but an outage. */
const patience = 2_000;

for (const [name, mount] of Object.entries(adapters)) {
  describe(`limits over tRPC's ${name} adapter`, () => {
    const start = async (options: Parameters<typeof createApp>[0] = {}) => {
      const store = memoryStore();
      const app = createApp({ store, ...options });
      const server = await mount(app);
      cleanups.push(() => app.sessions.close());
      cleanups.push(() => server.close());
      const visitor = (link: "single" | "batch" = "single") => createBrowser(server.url, link);
      return { ...app, store, visitor, url: server.url };
    };
    /** A visitor with a session, and how to push as its tab. */
    const withSession = async (options: Parameters<typeof createApp>[0] = {}) => {
      const started = await start(options);
      const visitor = started.visitor();
      await visitor.api.session.setValue.mutate({ key: "note", value: "kept" });
      const { identifier } = await visitor.api.facts.query();
      let seq = 0;
      let heard: string[] = [];
      const pushing = async (key: string, values: readonly (string | null)[], from?: string) => {
        const ops = values.map((value) => ({
          seq: ++seq,
          key,
          value,
          base: 0,
          ...(from === undefined ? {} : { from }),
        }));
        const answer = await visitor.api.session.sync.mutate(push({ identifier, ops, heard }));
        if (answer.ok) heard = answer.notes.map(noteName);
        return answer;
      };
      return { ...started, ...visitor, identifier, pushing };
    };

    test("of a value hold in every procedure, and in a push for that value alone", async () => {
      const { api, pushing } = await withSession();
      const long = "n".repeat(131_073);
      expect(await outcome(api.session.setValue.mutate({ key: "note", value: long }))).toBe("LIMIT_EXCEEDED");
      expect(await pushing("note", [JSON.stringify(long)])).toMatchObject({
        ok: true,
        notes: [{ key: "note", what: "rejected", code: "LIMIT_EXCEEDED" }],
      });
      expect(await api.session.values.query()).toEqual({ note: "kept" });
    });

    test("of answers: a value that is wrong all over is told by its first findings", async () => {
      const { api } = await withSession();
      const value = Array.from({ length: 2_000 }, () => ({ sku: 5, count: "x" }));
      const wrong = api.session.setValue.mutate({ key: "cart", value } as never);
      await expect(wrong).rejects.toMatchObject({
        data: { session: { code: "INVALID_VALUE", issues: { length: 10 } } },
      });
    });

    test("of a session hold for all its values together, whoever writes them", async () => {
      const definition = { ...shop, limits: { ...shop.limits, sessionBytes: 200_000 } };
      const { api, pushing } = await withSession({ definition });
      const filler = "f".repeat(120_000);
      expect(await pushing("anything", [JSON.stringify(filler)])).toMatchObject({ notes: [] });
      expect(await pushing("tree", [JSON.stringify(filler)])).toMatchObject({
        notes: [{ key: "tree", what: "rejected", code: "LIMIT_EXCEEDED" }],
      });
      expect(await outcome(api.session.setValue.mutate({ key: "tree", value: filler }))).toBe("LIMIT_EXCEEDED");
      expect(await outcome(api.session.setValue.mutate({ key: "theme", value: "dark" }))).toBe("ok");
      expect(Object.keys(await api.session.values.query()).sort()).toEqual(["anything", "note", "theme"]);
    });

    test("of a push: more ops than it carries are refused, whole", async () => {
      const { pushing, api } = await withSession();
      expect(
        await outcome(
          pushing(
            "note",
            Array.from({ length: 1_001 }, () => '"x"'),
          ),
        ),
      ).toBe("LIMIT_EXCEEDED");
      expect(await api.session.value.query({ key: "note" })).toBe("kept");
      expect(
        await outcome(
          pushing(
            "note",
            Array.from({ length: 1_000 }, () => '"x"'),
          ),
        ),
      ).toBe("ok");
    });

    test("of keys are the definition's: a client adds none", async () => {
      const { pushing, store, identifier } = await withSession();
      for (const key of ["user", "csrfSeed"])
        expect(await pushing(key, ['"x"'])).toMatchObject({
          notes: [{ key, what: "rejected", code: "FORBIDDEN_KEY" }],
        });
      // Some other version of the app may have it; this one writes nothing of it down.
      const before = await store.read(identifier);
      for (const key of ["nope", "constructor", "toString"])
        expect(await pushing(key, ['"x"'])).toMatchObject({ undecided: { "writer-1": [expect.any(Number)] } });
      expect((await store.read(identifier))?.rev).toBe(before?.rev);
      for (const key of ["~tokens", "~sync:x", "__proto__", ""])
        expect(await outcome(pushing(key, ['"x"']))).toBe("BAD_PUSH");
      const names = [...((await store.read(identifier))?.entries.keys() ?? [])].filter((key) => !key.startsWith("~"));
      expect(names).toEqual(["note"]);
    });

    test("of a batch: one call too many, and none is run", async () => {
      const { visitor, ran, url } = await start({ maxBatch: 5 });
      const { send, api } = visitor("batch");
      const calls = (count: number) =>
        send(`${url}/${Array.from({ length: count }, () => "transfer").join()}?batch=1`, {
          method: "POST",
          body: "{}",
          headers: { "content-type": "application/json" },
        });
      const refused = await calls(6);
      expect(refused.status).toBe(413);
      expect(await refused.text()).toMatch(/LIMIT_EXCEEDED.*maxItems on httpBatchLink/);
      expect(ran.transfers).toBe(0);
      expect((await calls(5)).status).toBe(200);
      expect(ran.transfers).toBe(5);
      expect(await api.theme.query()).toBe("light");
    });

    test("of new sessions are the app's limiter: asked once per session, told who asks", async () => {
      const asked: Visitor[] = [];
      let open = true;
      const { visitor, store } = await start({
        admit: async (who) => {
          asked.push(who);
          return open;
        },
      });
      const first = visitor();
      expect(await first.api.theme.query()).toBe("light");
      expect(asked).toHaveLength(0); // whoever only reads makes none
      await first.api.session.setValue.mutate({ key: "note", value: "in" });
      await first.api.session.setValue.mutate({ key: "note", value: "again" });
      expect(asked).toHaveLength(1);
      expect(asked[0]?.header("host")).toMatch(/^127\.0\.0\.1:\d+$/);
      expect(asked[0]?.address).toBe(name === "fetch" ? null : "127.0.0.1");
      open = false;
      const second = visitor();
      expect(await outcome(second.api.session.setValue.mutate({ key: "note", value: "out" }))).toBe("RATE_LIMITED");
      expect(await outcome(second.api.login.mutate({ subject: "ann" }))).toBe("RATE_LIMITED");
      expect(
        await outcome(second.api.session.sync.mutate(push({ ops: [{ seq: 1, key: "note", value: '"x"', base: 0 }] }))),
      ).toBe("RATE_LIMITED");
      expect(second.jar.size).toBe(0);
      expect((await store.find({ limit: 10 })).items).toHaveLength(1);
      expect(await outcome(first.api.session.setValue.mutate({ key: "note", value: "goes on" }))).toBe("ok");
    });

    test("of shape: a hostile value costs its sender a refusal, and nobody any time", async () => {
      const { api, pushing, visitor } = await withSession();
      const bystander = visitor();
      await bystander.api.increment.mutate();
      for (const key of ["anything", "tree", "cart", "clicks", "seen"] as const) {
        for (const [what, bomb] of Object.entries(bombs)) {
          const before = performance.now();
          const answer = await pushing(key, [bomb], bomb);
          const ms = performance.now() - before;
          expect(answer, `${what} as ${key}`).toMatchObject({ ok: true });
          expect(ms, `${what} as ${key}`).toBeLessThan(patience);
        }
      }
      // What a change claims to have been made from is shown to the key's merge, which nobody wrote for strangers.
      await pushing("cart", ['[{"sku":"a","count":1}]']);
      await pushing("clicks", ["1"]);
      for (const [what, from] of Object.entries({ ...bombs, "a number": "5", "a text": '"x"', "an item": "[5]" })) {
        const cart = await pushing("cart", ['[{"sku":"b","count":1}]'], from);
        expect(cart, `cart from ${what}`).toMatchObject({ ok: true });
        expect(await pushing("clicks", ["2"], from), `clicks from ${what}`).toMatchObject({ ok: true });
      }
      expect(Object.keys(Object.prototype)).toEqual([]);
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
      expect(await api.session.value.query({ key: "note" })).toBe("kept");
      expect(await bystander.api.increment.mutate()).toBe(2);
    });

    test("of shape hold for what the app's own transformer has made, too", async () => {
      const { send, url, api } = await withSession();
      const post = async (body: string) => {
        const before = performance.now();
        const { status } = await send(`${url}/session.setValue`, {
          method: "POST",
          body,
          headers: { "content-type": "application/json" },
        });
        expect(performance.now() - before, body.slice(0, 100)).toBeLessThan(patience);
        return status;
      };
      const deep = `${"[".repeat(3_000)}1${"]".repeat(3_000)}`;
      for (const key of ["tree", "anything"]) {
        expect(await post(`{"json":{"key":"${key}","value":${deep}}}`)).toBeGreaterThanOrEqual(400);
      }
      for (const [what, bomb] of Object.entries(bombs)) {
        if (!bomb.startsWith("~{") || /half|deep/.test(what)) continue;
        const { json, meta } = JSON.parse(bomb.slice(1)) as { json: unknown; meta?: { [group: string]: unknown } };
        const under = (paths: unknown): unknown =>
          paths !== null && typeof paths === "object" && !Array.isArray(paths)
            ? Object.fromEntries(
                Object.entries(paths).map(([path, to]) => [
                  `value.${path}`,
                  Array.isArray(to) && typeof to[0] === "string" ? to.map((one) => `value.${one}`) : to,
                ]),
              )
            : { value: paths };
        const bodyFor = (key: string) =>
          JSON.stringify({
            json: { key, value: json },
            meta: meta && Object.fromEntries(Object.entries(meta).map(([group, paths]) => [group, under(paths)])),
          });
        // One key takes anything; the other's schema walks wherever it is led.
        for (const key of ["anything", "tree"]) await post(bodyFor(key));
      }
      expect(await api.session.value.query({ key: "note" })).toBe("kept");
    });
  });
}

test("the bombs are what they say: superjson itself takes them", () => {
  const built = (what: string) => superjson.parse<Record<string, unknown>>(bombs[what]?.slice(1) ?? "");
  expect((built("an array of four thousand million").b as unknown[]).length).toBe(4_294_967_291);
  const { first, second } = built("a billion laughs");
  expect(first).toBe(second);
});

test("createSessions refuses limits that are none", () => {
  for (const options of [{ maxBatch: 0 }, { maxBatch: 1.5 }, { maxStreams: Number.NaN }]) {
    expect(() => createApp(options)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  }
});
