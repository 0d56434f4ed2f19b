import type { Session } from "@catnap/shared";
import { afterAll, describe, expect, test } from "vitest";
import { createSessions, type SessionStore, type Sessions } from "../src/index.ts";
import { postgresStore } from "../src/stores/postgres/postgres-store.ts";
import { redisStore } from "../src/stores/redis/redis-store.ts";
import { type Shop, shop } from "./app.ts";
import { startPostgres } from "./servers/postgres.ts";
import { tapped } from "./servers/postgres-tap.ts";
import { startRedis } from "./servers/redis.ts";

const postgres = await startPostgres();
const redis = await startRedis();
afterAll(() => Promise.all([postgres?.stop(), redis?.stop()]));

/** A store, and what goes to its server: how many commands or statements since it was last asked, and their bytes. */
interface Counted {
  readonly store: SessionStore;
  sent(): Promise<{ trips: number; bytes: number }>;
}

async function overPostgres(): Promise<Counted> {
  const pool = postgres?.pool() ?? never();
  let trips = 0;
  const store = postgresStore(
    tapped(pool, (query, client) => {
      trips++;
      return client.query(query);
    }),
  );
  await store.migrate();
  await store.read("nobody");
  const sent = async () => {
    const told = { trips, bytes: 0 };
    trips = 0;
    return told;
  };
  return { store, sent };
}

/** The server itself counts, on its one connection but ours. */
async function overRedis(): Promise<Counted> {
  const server = redis ?? never();
  const control = server.ioredis();
  const store = redisStore(await server.nodeRedis());
  let last = { trips: 0, bytes: 0 };
  const count = async () => {
    // Without what scripts do inside, and what the asking itself costs.
    const info = await control.info("all");
    const number = (pattern: RegExp) => Number(pattern.exec(info)?.[1] ?? 0);
    const calls = ["hgetall", "evalsha", "eval"].map((name) =>
      number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, "m")),
    );
    return { trips: calls.reduce((sum, one) => sum + one), bytes: number(/^total_net_input_bytes:(\d+)/m) };
  };
  const asking = await cost();
  async function cost(): Promise<number> {
    const before = (await count()).bytes;
    return (await count()).bytes - before;
  }
  return {
    store,
    async sent() {
      const now = await count();
      const told = { trips: now.trips - last.trips, bytes: now.bytes - last.bytes - asking };
      last = now;
      return told;
    },
  };
}

function never(): never {
  throw new Error("unreachable");
}

const url = "https://shop.test/page";

/** Answers the cookie that the browser has afterwards. */
async function visit(
  sessions: Sessions<Shop>,
  cookie: string,
  action: Parameters<Sessions<Shop>["run"]>[1],
): Promise<string> {
  const headers = { cookie, "sec-fetch-site": "same-origin" };
  const response = await sessions.run(new Request(url, { method: "POST", headers }), action);
  return response.headers.getSetCookie()[0]?.split(";")[0] ?? cookie;
}

const answer = () => new Response();
const kinds: [string, boolean, () => Promise<Counted>][] = [
  ["PostgreSQL", postgres !== undefined, overPostgres],
  ["Redis", redis !== undefined, overRedis],
];

describe.each(kinds)("over %s a request costs", (kind, installed, open) => {
  test.skipIf(!installed)("no round trip without a cookie, one when it reads and two when it writes", async () => {
    const { store, sent } = await open();
    let now = 1_700_000_000_000;
    const sessions = createSessions({ definition: shop, store, sweepInterval: 0, clock: () => now });
    await sent();
    await visit(sessions, "", (session) => {
      expect(session.value("theme")).toBe("light");
      return answer();
    });
    expect((await sent()).trips).toBe(0);

    const values = Array.from({ length: 90 }, (_, n) => ({ sku: `${n}`.padStart(90, "x"), count: n }));
    const cookie = await visit(sessions, "", (session) => {
      session.setValue("cart", values);
      session.setValue("note", "a");
      return answer();
    });
    const reading = (session: Session<Shop>) => {
      expect(session.value("note")).toBe("a");
      return answer();
    };
    // The first time that a server hears of a script costs one round trip more.
    for (let i = 0; i < 2; i++) await visit(sessions, cookie, reading);
    await sent();
    await visit(sessions, cookie, reading);
    expect((await sent()).trips).toBe(1);
    for (const letter of ["b", "c"]) {
      now += 1000;
      await visit(sessions, cookie, (session) => {
        session.setValue("note", letter.repeat(100));
        return answer();
      });
      const { trips, bytes } = await sent();
      expect(trips).toBe(2);
      // Of 10 KB, only what has changed travels.
      if (kind === "Redis") expect(bytes).toBeLessThanOrEqual(600);
    }
    await sessions.close();
  });
});
