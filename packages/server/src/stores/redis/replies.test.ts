import { SessionError } from "@catnap/shared";
import fc from "fast-check";
import { createClient, RESP_TYPES } from "redis";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { damagedFields, goodFields, unreadable } from "../../../test/damaged-hashes.ts";
import { startRedis } from "../../../test/servers/redis.ts";
import type { Commit, SessionStore } from "../store.ts";
import type { IoredisClient, RedisClient } from "./driver.ts";
import { toRecord } from "./hash.ts";
import { redisStore } from "./redis-store.ts";

const server = await startRedis();
afterAll(() => server?.stop());
afterEach(() => vi.restoreAllMocks());

const identifier = "zz-session";
const birth: Commit = {
  now: 0,
  accessedAt: 0,
  transactions: 1,
  create: { createdAt: 0, endsAt: 1e6 },
  timeoutMs: 1000,
  subject: "Ann",
  expect: new Map(),
  changes: new Map([["a", { value: "1", writer: "server", seq: 0 }]]),
};

test("whatever a hash holds is read, or is STORE_UNUSABLE with the session's identifier", () => {
  fc.assert(
    fc.property(damagedFields, fc.boolean(), (some, whole) => {
      const fields = whole ? { ...goodFields, ...some } : some;
      for (const reply of [fields, new Map(Object.entries(fields)), Object.entries(fields).flat()]) {
        try {
          const found = toRecord(identifier, reply);
          expect(found === null).toBe(Object.keys(fields).length === 0);
        } catch (error) {
          expect(error).toEqual(unreadable(identifier));
          // Names and values of a session are nobody's business.
          expect((error as SessionError).message).not.toContain("profile");
        }
      }
    }),
    { numRuns: 2000 },
  );
});

test.each(["7", "", "7x", "1 7 +11", "1 7 +99 profile/tab2", "1 x +1 p", " 1+", "-1+2"])(
  "the entry %j is one that no commit has written",
  (entry) => {
    expect(() => toRecord(identifier, ["m", goodFields.m, "=a", entry])).toThrow(unreadable(identifier));
  },
);

describe("whatever a client answers,", () => {
  const calls: ((store: SessionStore) => Promise<unknown>)[] = [
    (store) => store.read(identifier),
    (store) => store.write(identifier, birth),
    (store) => store.touch([{ key: identifier, accessedAt: 1, transactions: 1 }]),
    (store) => store.delete(identifier),
    (store) => store.delete(identifier, 5),
    (store) => store.find({ limit: 2 }),
    (store) => store.find({ limit: 2, subject: "Ann", entries: ["a"] }),
    (store) => store.sweep(5, 2),
    (store) => store.lease?.("task", "me", 5) ?? Promise.resolve(),
  ];
  /** A client of ioredis that answers these in turn, and again. */
  const answering = (replies: readonly unknown[]): IoredisClient => {
    let next = 0;
    return {
      status: "ready",
      isCluster: false,
      call: async () => replies[next++ % replies.length],
      duplicate: () => null,
    };
  };

  test("every call ends, and rejects with a SessionError if at all", async () => {
    vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const id = fc.constantFrom("aa", "zz", "zzz", "-", identifier);
    const reply = fc.oneof(
      fc.anything({ withMap: true }),
      fc.array(
        fc.oneof(id, fc.constantFrom("0", "4095", 1, null, ...Object.values(goodFields), ...Object.keys(goodFields))),
        {
          maxLength: 20,
        },
      ),
      fc.constantFrom(1, 0, "1", null, 1700000000000, ["3", "abc", 1700000000000], Buffer.from("7"), [
        "m",
        Buffer.from("7"),
      ]),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(reply, { minLength: 1, maxLength: 6 }),
        fc.constantFrom(...calls),
        async (replies, call) => {
          const outcome = await call(redisStore(answering(replies), { timeout: 30 })).catch((error: unknown) => error);
          if (outcome instanceof Error) {
            expect(outcome).toBeInstanceOf(SessionError);
            expect(["STORE_UNUSABLE", "INVALID_OPTION"]).toContain((outcome as SessionError).code);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test("Buffers are told by the name of the setting, and by no loop without end", async () => {
    const store = redisStore(answering([["m", Buffer.from(goodFields.m), "=a", Buffer.from("1+1")]]));
    const told = expect.objectContaining({
      code: "INVALID_OPTION",
      message: expect.stringContaining("commandOptions.typeMapping"),
    });
    await expect(store.read(identifier)).rejects.toEqual(told);
    await expect(store.find({ limit: 5, subject: "Ann" })).rejects.toEqual(told);
  });
});

describe.skipIf(!server)("with redis,", () => {
  test("a client that hands Buffers to the app hands text to the store", async () => {
    const typeMapping = { [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.NUMBER]: String };
    const client = createClient({ socket: { port: server?.port ?? 0 }, commandOptions: { typeMapping } });
    await client.connect();
    try {
      const store = redisStore(client as unknown as RedisClient, { prefix: "buffers:" });
      const heard: number[] = [];
      store.watch?.(identifier, (rev) => heard.push(rev));
      expect(await store.write(identifier, birth)).toEqual({ ok: true, rev: 1 });
      expect((await store.read(identifier))?.entries.get("a")?.value).toBe("1");
      expect((await store.find({ subject: "Ann", limit: 5 })).items).toHaveLength(1);
      await expect.poll(() => heard).toContain(1);
      expect(await client.get("buffers:nothing")).toBeNull();
      await store.close();
    } finally {
      client.destroy();
    }
  });
});
