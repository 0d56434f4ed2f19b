import type { Sessions } from "@catnap/server";
import {
  type AnyDefinition,
  type InputOf,
  isSessionError,
  type NameOf,
  type Session,
  SessionError,
  type ValueOf,
  type WritableNameOf,
} from "@catnap/shared";
import type { BrowserContext, Page } from "@playwright/test";
import { cookieHeader, takeCookie } from "./browser-cookie.ts";
import { hide, show } from "./page-visibility.ts";

/**
 * The session of the test's browser, seen and changed from the server's side. What reads or writes it throws
 * `SESSION_GONE` when the browser's cookie is of no session of this store.
 */
export interface SessionHandle<D extends AnyDefinition> {
  /**
   * Writes values, `readonly` and `secret` ones too, and gives the browser the cookie of a new session if it has none.
   * All or nothing: throws `UNKNOWN_KEY` or `INVALID_VALUE` as the session does.
   */
  seed(values: { readonly [K in WritableNameOf<D, "server">]?: InputOf<D, K> }): Promise<void>;
  /** What the server holds, or its default; `undefined` when it has neither. Throws `UNKNOWN_KEY`. */
  value<K extends NameOf<D, "server">>(name: K): Promise<ValueOf<D, K> | undefined>;
  /** Logs in without the app's own pages. Throws `INVALID_OPTION` for an empty subject, `SUBJECT_MISMATCH` as the session does. */
  login(subject: string): Promise<void>;
  /** Does anything else with the server's session, in one transaction; a new one when the browser's has ended. */
  run<T>(action: (session: Session<D>) => T | Promise<T>): Promise<T>;
  /** Puts the tab to sleep, as when the user switches to another, and resolves when its last push was answered. */
  sleep(page: Page): Promise<void>;
  /** Shows a tab that sleeps, as when the user comes back to it. */
  wake(page: Page): Promise<void>;
  /** Kills the tab's renderer: no event fires in the page. Chromium only. */
  kill(page: Page): Promise<void>;
  /** Cuts the browser's network, or gives it back. */
  offline(cut: boolean): Promise<void>;
}

/** Milliseconds in which a tab that was put to sleep has begun to send what it has; a clean one sends nothing. */
const departureMs = 500;

/** The handle on the session of `context`'s browser with the server at `baseURL`. */
export function createHandle<D extends AnyDefinition>(
  sessions: Pick<Sessions<D, string>, "run">,
  context: BrowserContext,
  baseURL: string,
): SessionHandle<D> {
  const run = async <T>(action: (session: Session<D>) => T | Promise<T>): Promise<T> => {
    if (typeof action !== "function") throw invalid("run takes a function, which it gives the session: pass one");
    const cookie = await cookieHeader(context, baseURL);
    let result: { value: T } | undefined;
    const response = await sessions.run(new Request(baseURL, { headers: { cookie } }), async (session) => {
      result = { value: await action(session) };
      return new Response();
    });
    for (const header of response.headers.getSetCookie()) await takeCookie(context, baseURL, header);
    if (!result) throw new Error("sessions.run did not call its handler");
    return result.value;
  };
  const runLiving = <T>(action: (session: Session<D>) => T): Promise<T> =>
    run((session) => {
      if (session.previous() === "unknown") throw gone();
      return action(session);
    });
  return {
    run,
    async seed(values) {
      if (typeof values !== "object" || values === null || Array.isArray(values)) {
        throw invalid("seed takes an object of names and their values, such as { cart: [] }: pass one");
      }
      await runLiving((session) => {
        // The type of `values` ties each name to its input; entries lose it.
        for (const [name, value] of Object.entries(values)) session.setValue(name as never, value as never);
      });
    },
    value: (name) =>
      runLiving((session) => {
        try {
          return session.value(name);
        } catch (error) {
          if (isSessionError(error, "NO_SUCH_VALUE")) return undefined;
          throw error;
        }
      }),
    login: (subject) => runLiving((session) => session.login(subject)),
    async sleep(page) {
      const push = page
        .waitForRequest((request) => request.url().includes(".sync"), { timeout: departureMs })
        .catch(() => null);
      await hide(page);
      await (await push)?.response();
    },
    wake: show,
    async kill(page) {
      const devtools = await context.newCDPSession(page);
      const crashed = page.waitForEvent("crash");
      // Nobody is left to answer this command.
      devtools.send("Page.crash").catch(() => undefined);
      await crashed;
    },
    offline: (cut) => context.setOffline(cut),
  };
}

/** What makes an argument unusable. */
export function invalid(message: string): SessionError {
  return new SessionError("INVALID_OPTION", message);
}

function gone(): SessionError {
  return new SessionError(
    "SESSION_GONE",
    "The browser's cookie is of no session that these sessions know: it has ended, or the server under test has another store. " +
      "Give sessionTest the server's own store (of SQLite, the same file by its absolute path); context.clearCookies() begins anew",
  );
}
