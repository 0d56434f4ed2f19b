import { createSessions, type Sessions, type SessionsOptions } from "@catnap/server";
import { memoryStore } from "@catnap/server/memory";
import { counter, defineSession, SessionError } from "@catnap/shared";
import { afterEach } from "vitest";
import { z } from "zod";

const shop = defineSession({
  shared: { note: z.string(), visits: counter() },
  readonly: { user: z.object({ name: z.string() }) },
});
export type Shop = typeof shop;

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** Runs when the test is over, the last one first. */
export const atEnd = (end: () => unknown): void => void endings.push(end);

/** Sessions in memory whose store can be told to fail. */
export function start(options: Partial<SessionsOptions<Shop>> = {}): {
  sessions: Sessions<Shop>;
  down: { read: boolean; write: boolean };
} {
  const memory = memoryStore();
  const down = { read: false, write: false };
  const unavailable = () => {
    throw new SessionError("STORE_UNAVAILABLE", "The store is down: start it");
  };
  const sessions = createSessions({
    definition: shop,
    store: {
      ...memory,
      read: async (identifier) => (down.read ? unavailable() : memory.read(identifier)),
      write: async (...args) => (down.write ? unavailable() : memory.write(...args)),
    },
    cookie: { name: "sid" },
    sweepInterval: 0,
    ...options,
  });
  atEnd(() => sessions.close());
  return { sessions, down };
}

/** A visitor with a cookie jar. */
export function visitor(url: string) {
  const jar = { cookie: "" };
  const send = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(url + path, {
      redirect: "manual",
      ...init,
      headers: { ...(jar.cookie && { cookie: jar.cookie }), ...init.headers },
    });
    for (const cookie of answer.headers.getSetCookie()) {
      jar.cookie = /max-age=0/i.test(cookie) ? "" : (cookie.split(";")[0] ?? "");
    }
    return answer;
  };
  return {
    jar,
    send,
    post: (path: string, headers: Record<string, string> = {}) => send(path, { method: "POST", headers }),
    read: async (path: string) => (await send(path)).text(),
  };
}

/** The code of what an action throws; `fine` when it does not. */
export const codeOf = async (action: () => unknown): Promise<string> => {
  try {
    await action();
    return "fine";
  } catch (error) {
    return SessionError.from(error)?.code ?? String(error);
  }
};

/** A page of another site has sent it. */
export const foreign = { "sec-fetch-site": "cross-site", origin: "https://evil.example" };
