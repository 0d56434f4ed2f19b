import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Session } from "@catnap/shared";
import { afterEach } from "vitest";
import {
  type CookieOptions,
  createSessions,
  type SessionEvent,
  type Sessions,
  type SessionsOptions,
} from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { type Shop, shop } from "./app.ts";
import { Jar } from "./jar.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export const home = "https://www.shop.example/";

/** A store that several sessions share, one after another. */
export const lastingStore = () => ({ ...memoryStore(), close: async () => undefined });

type Work<T> = (session: Session<Shop>) => T | Promise<T>;

/** A site behind a real HTTP server, whose configuration changes with each deploy, and browsers that come back. */
export async function site(options: Partial<SessionsOptions<Shop>> = {}) {
  const clock = { now: 1_700_000_000_000 };
  const reports: SessionEvent[] = [];
  const store = lastingStore();
  const make = (cookie: CookieOptions) =>
    createSessions({
      definition: shop,
      store,
      sweepInterval: 0,
      touchInterval: 0,
      timeout: 100_000,
      clock: () => clock.now,
      report: (event) => void reports.push(event),
      ...options,
      cookie,
    });
  let sessions: Sessions<Shop> | undefined;
  let work: (session: Session<Shop>) => unknown = () => undefined;
  let outcome: { value: unknown } | { error: unknown } = { error: "not called" };
  const server = createServer(async (req, res) => {
    try {
      outcome = {
        value: await sessions?.wake({ req, res }).run(async (session) => void res.end(String(await work(session)))),
      };
    } catch (error) {
      outcome = { error };
      res.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  const { port } = server.address() as AddressInfo;
  const deploy = (cookie: CookieOptions) => {
    sessions = make(cookie);
  };
  const browser = () => {
    const jar = new Jar();
    let setCookies: string[] = [];
    const visit = async <T>(next: Work<T>, url = home): Promise<T> => {
      let value: { is: T } | undefined;
      work = async (session) => {
        value = { is: await next(session) };
      };
      const answer = await fetch(`http://127.0.0.1:${port}${new URL(url).pathname}`, {
        headers: { cookie: jar.header(url) },
      }).catch(() => null);
      if ("error" in outcome) throw outcome.error;
      await answer?.text();
      setCookies = answer?.headers.getSetCookie() ?? [];
      for (const header of setCookies) if (!jar.take(url, header)) throw new Error(`no browser takes ${header}`);
      if (!value) throw new Error("nobody was let in");
      return value.is;
    };
    return { jar, visit, setCookies: () => setCookies };
  };
  return { deploy, browser, clock, reports, advance: (seconds: number) => (clock.now += seconds * 1000) };
}

export const note = (session: Session<Shop>) => session.value("note", null);
export const write = (text: string) => (session: Session<Shop>) => session.setValue("note", text);
