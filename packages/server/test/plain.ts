import { type Session, SessionError } from "@catnap/shared";
import { afterEach } from "vitest";
import { createSessions, type SessionEvent, type Sessions, type SessionsOptions } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { type Shop, shop } from "./app.ts";

const open: Sessions<Shop>[] = [];
afterEach(async () => {
  for (const sessions of open.splice(0)) await sessions.close();
});

const fakeClock = () => {
  const clock = { now: 1_700_000_000_000, advance: (seconds: number) => (clock.now += seconds * 1000) };
  return clock;
};

/** Sessions outside tRPC, with a clock that stands still, and visitors. */
export function start(options: Partial<SessionsOptions<Shop>> = {}) {
  const clock = fakeClock();
  const store = options.store ?? memoryStore();
  const reports: SessionEvent[] = [];
  const sessions = createSessions({
    definition: shop,
    store,
    cookie: { name: "sid" },
    sweepInterval: 0,
    clock: () => clock.now,
    report: (event) => void reports.push(event),
    ...options,
  });
  open.push(sessions);
  /** A visitor outside tRPC: one cookie, one request at a time or several. */
  const visitor = () => {
    const state = { cookie: "", setCookies: [] as string[] };
    const request = (init: RequestInit & { path?: string } = {}) => {
      const { path = "/page", ...rest } = init;
      return new Request(`https://shop.example${path}`, {
        ...rest,
        headers: { cookie: state.cookie, ...rest.headers },
      });
    };
    const visit = async <T>(
      handler: (session: Session<Shop>) => T | Promise<T>,
      init?: RequestInit & { path?: string },
    ): Promise<T> => {
      let result: T | undefined;
      const response = await sessions.run(request(init), async (session) => {
        result = await handler(session);
        return new Response("ok");
      });
      for (const cookie of response.headers.getSetCookie()) {
        state.setCookies.push(cookie);
        state.cookie = /max-age=0/i.test(cookie) ? "" : (cookie.split(";")[0] ?? "");
      }
      return result as T;
    };
    return { state, visit, request };
  };
  return { sessions, store, clock, reports, visitor };
}

/** The code of what an action throws; `fine` when it does not. */
export const codeOf = async (action: () => unknown) => {
  try {
    await action();
    return "fine";
  } catch (error) {
    return SessionError.from(error)?.code ?? String(error);
  }
};
