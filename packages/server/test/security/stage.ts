import { SessionError } from "@catnap/shared";
import { afterEach, describe } from "vitest";
import type { SessionEvent } from "../../src/index.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { adapters, createApp, createBrowser } from "../app.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export type Options = Parameters<typeof createApp>[0];
export type Stage = Awaited<ReturnType<typeof setUp>>;

/** A server with a clock, its store, everything that it reported, and browsers to visit it with. */
async function setUp(mount: (typeof adapters)["fetch"], options: Options) {
  const clock = { now: 1_800_000_000_000, advance: (seconds: number) => (clock.now += seconds * 1_000) };
  const reports: SessionEvent[] = [];
  const store = options?.store ?? memoryStore();
  const report = (event: SessionEvent) => void reports.push(event);
  const app = createApp({ store, report, clock: () => clock.now, ...options });
  const server = await mount(app);
  cleanups.push(() => app.sessions.close());
  cleanups.push(() => server.close());
  const browser = (headers: Record<string, string> = {}) => createBrowser(server.url, "single", headers);
  const loggedIn = async (subject = "ann") => {
    const visitor = browser();
    await visitor.api.login.mutate({ subject });
    return visitor;
  };
  /** Somebody else with the same cookie. */
  const copyOf = (of: Browser) => {
    const copy = browser();
    for (const [name, content] of of.jar) copy.jar.set(name, content);
    return copy;
  };
  return { ...app, clock, reports, store, url: server.url, browser, loggedIn, copyOf };
}

export type Browser = ReturnType<typeof createBrowser>;

/** Runs the same tests over each adapter. */
export function onEveryAdapter(title: string, tests: (start: (options?: Options) => Promise<Stage>) => void): void {
  for (const [name, mount] of Object.entries(adapters)) {
    describe(`${title}, over tRPC's ${name} adapter`, () => tests((options = {}) => setUp(mount, options)));
  }
}

export const outcome = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "ok",
    (error: unknown) => SessionError.from(error)?.code ?? String(error),
  );

/** The secret half of a browser's token. */
export const secretOf = (browser: Browser) => browser.jar.get("sid")?.split(".")[1] ?? "";
