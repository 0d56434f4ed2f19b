import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { SyncFailure, SyncSuccess } from "@catnap/shared";
import { afterAll, describe, expect, onTestFinished, test, vi } from "vitest";
import type { SessionStore } from "../src/index.ts";
import { postgresStore } from "../src/stores/postgres/postgres-store.ts";
import { redisStore } from "../src/stores/redis/redis-store.ts";
import { push } from "./pushes.ts";
import { startPostgres } from "./servers/postgres.ts";
import { startRedis } from "./servers/redis.ts";

const child = fileURLToPath(new URL("./process-child.ts", import.meta.url));

// Starting a process and stripping its types takes seconds on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const postgres = await startPostgres({ fsync: "on" });
const redis = await startRedis();
afterAll(() => Promise.all([postgres?.stop(), redis?.stop()]));

interface Database {
  readonly port: number;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
  start(): Promise<void>;
  store(): SessionStore;
}

const overPostgres = postgres && {
  port: postgres.port,
  kill: postgres.kill,
  start: postgres.start,
  store: () => postgresStore(postgres.pool()),
};
const overRedis = redis && {
  port: redis.port,
  kill: () => redis.halt("SIGKILL"),
  start: redis.start,
  store: () => redisStore(redis.ioredis()),
};

/** Server processes over one database. One that was killed is replaced by another. */
class Fleet {
  readonly #args: (at: number) => string[];
  readonly #children: ChildProcess[] = [];
  readonly #urls: string[] = [];
  readonly #killed = new Set<ChildProcess>();
  #over = false;
  /** Servers that had served and ended though nobody had killed them. */
  readonly died: string[] = [];
  /** Requests that no server answered, by its URL. */
  readonly unanswered = new Map<string, number>();
  /** Requests that were answered with 503. */
  unavailable = 0;

  constructor(kind: string, port: number) {
    // Both libraries of Redis side by side.
    const of = (at: number) => (kind === "postgres" ? kind : at % 2 ? "ioredis" : "node-redis");
    this.#args = (at) => ["--no-warnings", "--import", "tsx", child, of(at), String(port)];
  }

  /** Starts one, as a supervisor does: again, when it ends before it serves, because the database is down just then. */
  async start(at: number): Promise<void> {
    for (const deadline = performance.now() + 60_000; !this.#over; await pause(100)) {
      const started = spawn(process.execPath, this.#args(at), { stdio: ["ignore", "pipe", "inherit"] });
      this.#children[at] = started;
      const ended = once(started, "exit");
      const line = await Promise.race([once(createInterface(started.stdout), "line"), ended.then(() => undefined)]);
      if (line) {
        void ended.then(([code, signal]) => {
          if (!this.#killed.has(started)) this.died.push(`server ${at} ended by itself: ${signal ?? code}`);
        });
        this.#urls[at] = `http://127.0.0.1:${line[0]}`;
        return;
      }
      if (performance.now() > deadline) throw new Error("A server process does not come up: what it printed says why");
    }
  }

  /** Kills one; waits until somebody has missed it, however fast the machine is. */
  async strike(at: number): Promise<void> {
    const url = this.#urls[at] ?? "";
    const before = this.unanswered.get(url) ?? 0;
    this.#kill(at);
    await expect.poll(() => this.unanswered.get(url) ?? 0, { timeout: 60_000 }).toBeGreaterThan(before);
  }

  #kill(at: number): void {
    const child = this.#children[at];
    if (!child) return;
    this.#killed.add(child);
    child.kill("SIGKILL");
  }

  stop(): void {
    this.#over = true;
    for (const at of this.#children.keys()) this.#kill(at);
  }

  url(): string {
    if (this.#over) throw new Refused("all servers were stopped");
    return this.#urls[Math.floor(Math.random() * this.#urls.length)] ?? "";
  }
}

/** Asks one server after the other until one answers. */
async function ask(
  fleet: Fleet,
  path: string,
  cookie: string,
  input?: unknown,
): Promise<{ data: unknown; response: Response }> {
  for (;;) {
    const server = fleet.url();
    try {
      const body = input === undefined ? null : JSON.stringify(input);
      const headers = { "content-type": "application/json", ...(cookie ? { cookie } : {}) };
      const signal = AbortSignal.timeout(10_000);
      const response = await fetch(`${server}/${path}`, {
        method: body === null ? "GET" : "POST",
        headers,
        body,
        signal,
      });
      const answer = (await response.json()) as {
        result?: { data: unknown };
        error?: { data: { httpStatus: number; session?: { code: string } } };
      };
      if (answer.result) return { data: answer.result.data, response };
      const { httpStatus, session } = answer.error?.data ?? {};
      if (httpStatus === 503) fleet.unavailable++;
      // Unavailable, or outrun by others: to be tried again.
      if (httpStatus !== 503 && session?.code !== "CONFLICT")
        throw new Refused(session?.code ?? JSON.stringify(answer));
    } catch (error) {
      if (error instanceof Refused) throw error;
      fleet.unanswered.set(server, (fleet.unanswered.get(server) ?? 0) + 1);
    }
    await pause(10 + Math.random() * 40);
  }
}

/** An answer that no retry would change; the message is its code. */
class Refused extends Error {}

type SyncAnswer = SyncSuccess | SyncFailure;

interface Home {
  readonly cookie: string;
  readonly identifier: string;
}

async function begin(fleet: Fleet, name: string): Promise<Home> {
  const ops = [{ seq: 1, key: "clicks", value: "0", base: 0, from: null }];
  const { data, response } = await ask(
    fleet,
    "session.sync",
    "",
    push({ writer: name, nonce: name.padEnd(43, "n"), ops }),
  );
  const { identifier } = data as { identifier: string };
  return { identifier, cookie: response.headers.getSetCookie()[0]?.split(";")[0] ?? "" };
}

/** A tab: counts, and sets a key of its own, and reads on another server what it has been told to be saved. Ends when the session does. */
async function client(fleet: Fleet, { cookie, identifier }: Home, index: number, rounds: number): Promise<string> {
  const key = `key${index}`;
  let known = { value: "0", rev: 0 };
  let since = 0;
  for (let round = 1; round <= rounds; round++) {
    const ops = [
      { seq: 2 * round - 1, key: "clicks", value: String(Number(known.value) + 1), base: known.rev, from: known.value },
      { seq: 2 * round, key, value: String(round), base: since },
    ];
    const parts = {
      writer: `writer-${index}`,
      profile: `profile-${index}`,
      identifier,
      since,
      acked: 2 * round - 2,
      ops,
    };
    const answer = (await ask(fleet, "session.sync", cookie, push(parts))).data as SyncAnswer;
    if (!answer.ok) return answer.code;
    expect(answer.acked).toBe(2 * round);
    const counted = answer.entries.clicks;
    if (counted) known = { value: counted.value ?? ops[0]?.value ?? "", rev: counted.rev };
    since = answer.rev;
    const read = (
      await ask(fleet, "session.sync", cookie, push({ ...parts, since: 0, ops: [], upTo: 0, acked: 2 * round }))
    ).data as SyncAnswer;
    if (!read.ok) return read.code;
    expect(read.entries[key]?.value, "what was acknowledged is read by any server").toBe(String(round));
    expect(Number(read.entries.clicks?.value)).toBeGreaterThanOrEqual(round);
  }
  return "done";
}

const databases: [string, Database | undefined][] = [
  ["postgres", overPostgres],
  ["redis", overRedis],
];

describe.each(databases)("four processes over %s", (kind, database) => {
  test.skipIf(!database)(
    "lose nothing, double nothing and revive nothing, though they and the database are killed",
    async () => {
      if (!database) return;
      const fleet = new Fleet(kind, database.port);
      // Also when the time is up, for which a `finally` would not wait.
      onTestFinished(() => fleet.stop());
      const rounds = 4;
      await Promise.all([0, 1, 2, 3].map((at) => fleet.start(at)));
      const homes = await Promise.all([0, 1, 2, 3, 4].map((n) => begin(fleet, `first-${kind}-${n}`)));
      const [doomed] = homes;
      if (!doomed) throw new Error("unreachable");
      const clients = Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          client(fleet, homes[i % homes.length] ?? doomed, i, i % 5 === 0 ? 1000 : rounds).catch((error: unknown) => {
            if (error instanceof Refused) return error.message;
            throw error;
          }),
        ),
      );
      const chaos = (async () => {
        const replaced: Promise<void>[] = [];
        for (const at of [0, 2, 1]) {
          await pause(200);
          await fleet.strike(at);
          replaced.push(fleet.start(at));
          if (at !== 2) continue;
          const { unavailable } = fleet;
          await database.kill();
          await expect.poll(() => fleet.unavailable, { timeout: 60_000 }).toBeGreaterThan(unavailable);
          await database.start();
        }
        await ask(fleet, "logout", doomed.cookie, {});
        await Promise.all(replaced);
      })();
      const [outcomes] = await Promise.all([clients, chaos]);
      outcomes.forEach((outcome, i) => {
        expect(outcome).toMatch(i % 5 === 0 ? /^SESSION_/ : /^done$/);
      });
      expect(fleet.died).toEqual([]);
      // Three servers and the database were missed.
      expect(fleet.unanswered.size).toBeGreaterThanOrEqual(3);
      expect(fleet.unavailable).toBeGreaterThanOrEqual(1);
      const store = database.store();
      expect(await store.read(doomed.identifier)).toBeNull();
      for (const [n, { identifier }] of homes.entries()) {
        if (n === 0) continue;
        const entries = (await store.read(identifier))?.entries;
        expect(entries?.get("clicks")?.value).toBe(String(10 * rounds));
        for (let i = n; i < 50; i += 5) expect(entries?.get(`key${i}`)?.value).toBe(String(rounds));
      }
      await store.close();
    },
  );
});
