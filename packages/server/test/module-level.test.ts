import { expect, onTestFinished, test, vi } from "vitest";
import { createSessions } from "../src/index.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { shop } from "./app.ts";

// Cloudflare's Workers forbid timers and randomness while a module is loaded. `npm run runtimes` tries it there.

/** Sessions made where no timer may be started, and what sweeps them. */
function atModuleLevel() {
  const store = memoryStore();
  const sweep = vi.spyOn(store, "sweep");
  const forbidden = vi.spyOn(globalThis, "setTimeout").mockImplementation(() => {
    throw new Error("Disallowed operation called within global scope");
  });
  const sessions = createSessions({ definition: shop, store, sweepInterval: 0.01 });
  onTestFinished(() => sessions.close());
  expect(forbidden).toHaveBeenCalledOnce();
  forbidden.mockRestore();
  return { sessions, sweep };
}

test("where a module may start no timer, sweeping by the clock begins with the first request", async () => {
  const { sessions, sweep } = atModuleLevel();
  sessions.wake({ headers: {} });
  await vi.waitFor(() => expect(sweep.mock.calls.length).toBeGreaterThan(1));
});

test("a first request after close begins nothing", async () => {
  const { sessions } = atModuleLevel();
  await sessions.close();
  const started = vi.spyOn(globalThis, "setTimeout");
  onTestFinished(() => started.mockRestore());
  sessions.wake({ headers: {} });
  expect(started).not.toHaveBeenCalled();
});
