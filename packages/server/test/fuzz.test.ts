import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { adapters, createApp, createBrowser } from "./app.ts";
import { bombs } from "./hostile.ts";
import { push } from "./pushes.ts";

/**
 * A hostile client at every adapter, for so many seconds in all: `CATNAP_FUZZ_SECONDS=600` for a long run. What it sends
 * follows from the seed (`CATNAP_FUZZ_SEED`), which a failure prints together with the number of the request.
 */
const seconds = Number(process.env.CATNAP_FUZZ_SECONDS ?? 6);
const seed = Number(process.env.CATNAP_FUZZ_SEED ?? Math.trunc(Math.random() * 2 ** 31));
/** An answer that takes longer is a hang. */
const patience = 10_000;
/**
 * What a hostile request may take, as a multiple of an honest push of its length: the fastest of some tries, so that what
 * else the machine does is not counted. A batch is a hundred calls in few bytes, for which there is a fixed allowance.
 */
const multiple = 10;
const allowanceMs = 60;

/** mulberry32: small, and the same everywhere. */
function randomOf(start: number) {
  let state = start;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (n: number) => Math.floor(next() * n);
  const pick = <T>(of: readonly T[]): T => of[below(of.length)] as T;
  return { below, pick, chance: (p: number) => next() < p };
}
type Random = ReturnType<typeof randomOf>;

const keys = ["theme", "note", "cart", "visits", "clicks", "seen", "anything", "tree", "user", "csrfSeed"];
const names = [
  ...keys,
  ...["__proto__", "constructor", "toString", "~tokens", "~sync:x", "", "x".repeat(300), "\u0000", "é"],
];
const numbers = [0, 1, 2, -1, 0.5, 2 ** 31, 2 ** 53, -(2 ** 53), 1e308, Number.MAX_SAFE_INTEGER];

function anyValue(random: Random, depth = 0): unknown {
  const { below, pick, chance } = random;
  switch (below(depth > 3 ? 5 : 8)) {
    case 0:
      return pick(numbers);
    case 1:
      return pick(["", "x", "\ud800", "💤", "x".repeat(below(5_000)), "light", "</script>", "1970-01-01T00:00:00Z"]);
    case 2:
      return chance(0.5);
    case 3:
      return null;
    case 4:
      return pick(names);
    case 5:
      return Array.from({ length: below(5) }, () => anyValue(random, depth + 1));
    case 6:
      return { json: anyValue(random, depth + 1), meta: { values: anyValue(random, depth + 1) } };
    default:
      return Object.fromEntries(
        Array.from({ length: below(depth === 0 && chance(0.05) ? 20_000 : 4) }, (_, i) => [
          chance(0.3) ? pick(names) : `k${i}`,
          anyValue(random, depth + 2),
        ]),
      );
  }
}

/** An encoded value of an op: good, broken, or a bomb. */
function anyEncoded(random: Random): unknown {
  const { below, pick, chance } = random;
  if (chance(0.25)) return pick(Object.values(bombs));
  const text = `${chance(0.3) ? "~" : ""}${JSON.stringify(anyValue(random))}`;
  if (chance(0.03)) return anyValue(random);
  if (!chance(0.2)) return text;
  const at = below(text.length + 1);
  return text.slice(0, at) + pick(["", "\\", '"', "}", "[[[[", "\u0000"]) + text.slice(at + below(4));
}

const line = (i: number, padding: number) => ({ sku: `${i}`.padEnd(padding, "x"), count: i });

/** Puts about the largest value that there may be into a key that has a merge. */
function largeCart(identifier: string): unknown {
  const value = JSON.stringify(Array.from({ length: 2_400 }, (_, i) => line(i, 20)));
  return push({ identifier, profile: "profile-cart", ops: [{ seq: 1, key: "cart", value, base: 0, from: null }] });
}

/** A thousand changes, each of which wants to be merged with what is there. */
function merges(identifier: string, writer: string): unknown {
  const ops = Array.from({ length: 1_000 }, (_, i) => ({
    seq: i + 1,
    key: "cart",
    value: JSON.stringify([line(i, 4)]),
    base: 0,
    from: JSON.stringify([line(i + 1, 5)]),
  }));
  return push({ identifier, profile: "profile-cart", writer, ops });
}

function anyPush(random: Random, identifier: string): unknown {
  const { below, pick, chance } = random;
  let seq = below(1_000_000);
  const many = chance(0.02);
  const encoded = () => (many ? '"x"' : anyEncoded(random));
  const ops = Array.from({ length: many ? 1_200 : below(5) }, () => ({
    seq: chance(0.98) ? ++seq : pick(numbers),
    key: pick(chance(0.97) ? keys : names),
    value: chance(0.1) ? null : encoded(),
    base: chance(0.97) ? below(5) : pick(numbers),
    ...(chance(0.5) ? { from: chance(0.2) ? null : encoded() } : {}),
  }));
  if (chance(0.06)) return chance(0.4) ? largeCart(identifier) : merges(identifier, `writer-${below(80)}`);
  const whole = push({
    identifier: chance(0.9) ? identifier : pick([null, "i".repeat(22), "../../x"]),
    profile: chance(0.95) ? `profile-${below(40)}` : "x",
    writer: `writer-${below(80)}`,
    ops: ops as never,
    since: chance(0.7) ? 0 : below(1_000),
    acked: below(100),
    ...(chance(0.3) ? { nonce: chance(0.5) ? "n".repeat(43) : "short" } : {}),
  });
  if (!chance(0.2)) return whole;
  return { ...whole, [pick([...Object.keys(whole), ...names])]: anyValue(random) };
}

function anyRequest(random: Random, identifier: string, cookie: string): { path: string; init: RequestInit } {
  const { below, pick, chance } = random;
  const procedures = [
    ...["session.sync", "session.setValue", "session.delValue", "session.values", "session.value", "session.info"],
    ...[
      "session.invalidate",
      "session.changes",
      "increment",
      "slowNote",
      "login",
      "rotate",
      "shorten",
      "nested",
      "nope",
    ],
  ];
  const name = chance(0.5) ? "session.sync" : pick(procedures);
  const input =
    name === "session.sync"
      ? anyPush(random, identifier)
      : chance(0.5)
        ? { key: pick(names), value: anyValue(random) }
        : anyValue(random);
  const calls = chance(0.15) ? Array.from({ length: 1 + below(chance(0.1) ? 150 : 4) }, () => pick(procedures)) : null;
  const batch = calls ? Object.fromEntries(calls.map((_, i) => [i, { json: anyValue(random) }])) : null;
  let body = JSON.stringify(batch ?? { json: input, ...(chance(0.1) ? { meta: anyValue(random) } : {}) });
  if (chance(0.05))
    body = pick(["", "{", "null", "[]", "[".repeat(50_000), '{"json":', body.slice(0, below(body.length + 1))]);
  const get = chance(name === "session.sync" ? 0.05 : 0.4);
  const query = get ? `?input=${encodeURIComponent(body.slice(0, 4_000))}` : "";
  const path = calls ? `${calls.join()}?batch=1${query.replace("?", "&")}` : `${name}${query}`;
  const cookies = [
    cookie,
    "",
    `sid=${"x".repeat(below(500))}`,
    `${cookie}; sid=other`,
    `sid=${identifier}.${"A".repeat(43)}`,
    "sid=%00",
    "=;;=,",
  ];
  const headers: Record<string, string> = {
    cookie: chance(0.9) ? cookie : pick(cookies),
    ...(get
      ? {}
      : {
          "content-type": chance(0.95)
            ? "application/json"
            : pick([
                "text/plain",
                "multipart/form-data",
                "application/octet-stream",
                "application/x-www-form-urlencoded",
                "x",
              ]),
        }),
    ...(chance(0.2) ? { "trpc-accept": "application/jsonl" } : {}),
    ...(chance(0.2) ? { "sec-fetch-site": pick(["cross-site", "same-site", "same-origin", "x"]) } : {}),
    ...(chance(0.2) ? { origin: pick(["null", "https://evil.example", "//", "x", "http://[::1"]) } : {}),
    ...(chance(0.1) ? { "last-event-id": pick(["1", "-1", "x", "9".repeat(40)]) } : {}),
  };
  return {
    path,
    init: { method: get ? "GET" : chance(0.95) ? "POST" : pick(["PUT", "DELETE"]), headers, ...(get ? {} : { body }) },
  };
}

/** How long something takes at its fastest, in milliseconds; a first try that is fast enough is enough. */
async function fastest(limit: number, timed: () => Promise<number>, first = Number.POSITIVE_INFINITY): Promise<number> {
  let least = first;
  for (let tries = 0; tries < 4 && least > limit; tries++) least = Math.min(least, await timed());
  return least;
}

/** The price of honest pushes by their length: linear between two measured ones. */
async function honestPrice(send: (body: string) => Promise<unknown>, identifier: string) {
  let seq = 0;
  const priceOf = async (length: number) => {
    const lines = Array.from({ length: Math.ceil(length / 30) }, (_, i) => ({ sku: `sku-${i}`, count: i }));
    const honest = async () => {
      const ops = [{ seq: ++seq, key: "anything", value: JSON.stringify(lines), base: 0 }];
      const before = performance.now();
      await send(JSON.stringify({ json: push({ identifier, profile: "honest-1", ops }) }));
      return performance.now() - before;
    };
    await honest();
    return fastest(0, honest);
  };
  const [small, large] = [await priceOf(1_000), await priceOf(100_000)];
  return (length: number) => small + (Math.max(large - small, 0) * length) / 100_000;
}

const escaped: unknown[] = [];
const note = (error: unknown) => void escaped.push(error);
beforeAll(() => {
  process.on("unhandledRejection", note);
  process.on("uncaughtException", note);
});
afterAll(() => {
  process.off("unhandledRejection", note);
  process.off("uncaughtException", note);
});

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

for (const [i, [name, mount]] of Object.entries(adapters).entries()) {
  test(
    `nothing that a client sends to the ${name} adapter stops it, or reaches another's session (seed ${seed})`,
    async () => {
      const app = createApp({ report: () => undefined });
      const server = await mount(app);
      cleanups.push(() => app.sessions.close());
      cleanups.push(() => server.close());
      const bystander = createBrowser(server.url);
      await bystander.api.session.setValue.mutate({ key: "note", value: "canary-of-a-bystander" });
      const random = randomOf(seed + i);
      let attacker = createBrowser(server.url);
      let identifier = "";
      const enter = async () => {
        attacker = createBrowser(server.url);
        await attacker.api.login.mutate({ subject: "mallory" });
        ({ identifier } = await attacker.api.facts.query());
      };
      await enter();
      const price = await honestPrice(async (body) => {
        const headers = { cookie: `sid=${attacker.jar.get("sid") ?? ""}`, "content-type": "application/json" };
        const response = await fetch(`${server.url}/session.sync`, { method: "POST", headers, body });
        expect(await response.text()).toContain('"ok":true');
      }, identifier);
      const until = performance.now() + (seconds * 1_000) / Object.keys(adapters).length;
      let [sent, applied] = [0, 0];
      while (performance.now() < until) {
        sent++;
        if (sent % 20 === 0) await enter(); // its session may have ended by its own doing
        const cookie = `sid=${attacker.jar.get("sid") ?? ""}`;
        const { path, init } = anyRequest(random, identifier, cookie);
        const told = `seed ${seed}, request ${sent} at ${name}: ${init.method} ${path.slice(0, 200)} ${String(init.body ?? "").slice(0, 300)}`;
        const before = performance.now();
        const gone = new AbortController();
        const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(patience)]);
        const once = () => fetch(`${server.url}/${path}`, { ...init, signal });
        // A server may close a connection whose body it had no use for, just as the next request takes it: once is no outage.
        const response = await once()
          .catch(once)
          .catch((error: unknown) => {
            throw new Error(`no answer: ${told}`, { cause: error });
          });
        if (response.headers.get("content-type")?.startsWith("text/event-stream")) gone.abort();
        else {
          const text = await response.text();
          expect(text.includes("canary"), told).toBe(false);
          expect(response.status, `${told}: ${text.slice(0, 500)}`).toBeLessThan(500);
          if (response.status === 200 && text.includes('"ok":true')) applied++;
        }
        const length = path.length + String(init.body ?? "").length;
        const limit = multiple * price(length) + allowanceMs;
        // In a session of its own, not counted: what a push has changed before is skipped, and costs nothing.
        const again = async () => {
          const other = createBrowser(server.url);
          await other.api.login.mutate({ subject: "mallory" });
          const fresh = await other.api.facts.query();
          const body = typeof init.body === "string" ? init.body.replaceAll(identifier, fresh.identifier) : null;
          const headers = { ...init.headers, cookie: `sid=${other.jar.get("sid") ?? ""}` };
          await other.api.session.sync.mutate(largeCart(fresh.identifier));
          const before = performance.now();
          await (await fetch(`${server.url}/${path}`, { ...init, headers, ...(body !== null && { body }) })).text();
          return performance.now() - before;
        };
        const streams = path.includes("changes"); // it would not end
        const took = performance.now() - before;
        if (!streams) expect(await fastest(limit, again, took), `${length} bytes, ${told}`).toBeLessThan(limit);
        expect(took, told).toBeLessThan(patience);
        expect(escaped, told).toEqual([]);
      }
      // It is no use to be refused at the door every time.
      expect(applied).toBeGreaterThan(sent / 50);
      expect(Object.keys(Object.prototype)).toEqual([]);
      expect(await bystander.api.session.values.query()).toEqual({ note: "canary-of-a-bystander" });
    },
    seconds * 1_000 + 60_000,
  );
}
