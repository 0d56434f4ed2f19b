import type { Sessions } from "@catnap/server";
import type { AnyDefinition } from "@catnap/shared";
import { test as baseTest } from "@playwright/test";
import { createHandle, invalid, type SessionHandle } from "./session-handle.ts";

export { expect, type SessionAssertions, type SessionExpect } from "./session-expect.ts";
export type { SessionHandle } from "./session-handle.ts";

/** What `sessionTest` needs: the app's `createSessions`, over the store of the server under test. */
export interface SessionTestOptions<D extends AnyDefinition> {
  /**
   * Sessions over the same store as the server under test: the same SQLite file, the same database. With a memory store
   * the test must run in the server's process.
   */
  readonly sessions: Pick<Sessions<D, string>, "run">;
}

/**
 * A Playwright `test` with the fixture `session`: seeds and reads the session of the test's browser on the server, logs
 * in without the UI, puts the tab to sleep and wakes it, kills it, cuts the network. Throws `INVALID_OPTION` without
 * `sessions`, and the fixture does where the config has no `use.baseURL`.
 */
export function sessionTest<D extends AnyDefinition>(
  options: SessionTestOptions<D>,
): ReturnType<typeof baseTest.extend<{ session: SessionHandle<D> }>> {
  // For those whom no compiler has told.
  const sessions = (options as Partial<SessionTestOptions<D>> | undefined)?.sessions;
  if (typeof sessions?.run !== "function") {
    throw invalid(
      "sessionTest needs sessions: pass { sessions }, which createSessions has made over the server's store",
    );
  }
  return baseTest.extend<{ session: SessionHandle<D> }>({
    session: async ({ context, baseURL }, use) => {
      if (!baseURL) {
        throw invalid(
          'The session fixture needs baseURL, where the cookie is set: write use: { baseURL: "http://localhost:3000" } in playwright.config',
        );
      }
      await use(createHandle(sessions, context, baseURL));
    },
  });
}
