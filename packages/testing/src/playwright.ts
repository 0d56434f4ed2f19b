import type { Sessions } from "@catnap/server";
import {
  type AnyDefinition,
  type InputOf,
  isSessionError,
  type NameOf,
  type Session,
  type ValueOf,
  type WritableNameOf,
} from "@catnap/shared";
import { type BrowserContext, expect as baseExpect, test as baseTest, type Locator, type Page } from "@playwright/test";

/** What `sessionTest` needs: the app's `createSessions`, over the store of the server under test. */
export interface SessionTestOptions<D extends AnyDefinition> {
  /**
   * Sessions over the same store as the server under test: the same SQLite file, the same database. With a memory store
   * the test must run in the server's process.
   */
  readonly sessions: Pick<Sessions<D, string>, "run">;
}

/** The session of the test's browser, seen and changed from the server's side. */
export interface SessionHandle<D extends AnyDefinition> {
  /** Writes values, `readonly` and `secret` ones too, and gives the browser the cookie of a new session if it has none. */
  seed(values: { readonly [K in WritableNameOf<D, "server">]?: InputOf<D, K> }): Promise<void>;
  /** What the server holds, or its default; `undefined` when it has neither. */
  value<K extends NameOf<D, "server">>(name: K): Promise<ValueOf<D, K> | undefined>;
  /** Logs in without the app's own pages. */
  login(subject: string): Promise<void>;
  /** Does anything else with the server's session, in one transaction. */
  run<T>(action: (session: Session<D>) => T | Promise<T>): Promise<T>;
  /** Puts the tab to sleep, as when the user switches to another, and resolves when its last push was answered. */
  sleep(page: Page): Promise<void>;
  /** Kills the tab's renderer: no event fires in the page. Chromium only. */
  kill(page: Page): Promise<void>;
  /** Cuts the browser's network, or gives it back. */
  offline(cut: boolean): Promise<void>;
}

interface SessionFixtures<D extends AnyDefinition> {
  session: SessionHandle<D>;
}

/**
 * A Playwright `test` with the fixture `session`: seeds and reads the session of the test's browser on the server, logs
 * in without the UI, puts the tab to sleep, kills it, cuts the network.
 */
export function sessionTest<D extends AnyDefinition>({
  sessions,
}: SessionTestOptions<D>): ReturnType<typeof baseTest.extend<SessionFixtures<D>>> {
  return baseTest.extend<SessionFixtures<D>>({
    session: async ({ context, baseURL }, use) => {
      if (!baseURL)
        throw new Error("The session fixture needs `use: { baseURL }` in playwright.config: the cookie is set there");
      await use(createHandle(sessions, context, baseURL));
    },
  });
}

function createHandle<D extends AnyDefinition>(
  sessions: SessionTestOptions<D>["sessions"],
  context: BrowserContext,
  baseURL: string,
): SessionHandle<D> {
  const run = async <T>(action: (session: Session<D>) => T | Promise<T>): Promise<T> => {
    const cookies = await context.cookies(baseURL);
    const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
    let result: { value: T } | undefined;
    const response = await sessions.run(new Request(baseURL, { headers: { cookie } }), async (session) => {
      result = { value: await action(session) };
      return new Response();
    });
    for (const header of response.headers.getSetCookie()) await take(context, baseURL, header);
    if (!result) throw new Error("sessions.run did not call its handler");
    return result.value;
  };
  return {
    run,
    seed: (values) =>
      run((session) => {
        // The type of `values` ties each name to its input; entries lose it.
        for (const [name, value] of Object.entries(values)) session.setValue(name as never, value as never);
      }),
    value: (name) =>
      run((session) => {
        try {
          return session.value(name);
        } catch (error) {
          if (isSessionError(error, "NO_SUCH_VALUE")) return undefined;
          throw error;
        }
      }),
    login: (subject) => run((session) => session.login(subject)),
    async sleep(page) {
      const answered = page.waitForResponse((response) => response.url().includes(".sync"), { timeout: 2_000 });
      await page.evaluate(() => {
        Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      });
      // A clean session has nothing to send.
      await answered.catch(() => undefined);
    },
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

async function take(context: BrowserContext, url: string, header: string): Promise<void> {
  const [pair = "", ...attributes] = header.split(";").map((part) => part.trim());
  const at = pair.indexOf("=");
  const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
  const attribute = (wanted: string) => attributes.find((one) => one.toLowerCase().startsWith(wanted));
  const maxAge = Number(attribute("max-age=")?.slice(8));
  if (maxAge === 0) return context.clearCookies({ name });
  await context.addCookies([
    {
      name,
      value,
      url,
      httpOnly: true,
      secure: attribute("secure") !== undefined,
      expires: Date.now() / 1000 + maxAge,
    },
  ]);
}

/** Playwright's `expect`, whose `toHaveValue` also takes a session, a name and a value: it waits until the server holds that. */
export const expect: ReturnType<
  typeof baseExpect.extend<{
    toHaveValue(
      session: SessionHandle<AnyDefinition>,
      name: string,
      expected: unknown,
    ): Promise<{ pass: boolean; message: () => string }>;
  }>
> = baseExpect.extend({
  async toHaveValue(session: SessionHandle<AnyDefinition> | Locator, name: string, expected: unknown) {
    let actual: unknown;
    // Playwright's own matcher of this name is for form fields, and stays.
    const field = "run" in session ? null : session;
    const checked = field
      ? baseExpect(field).toHaveValue(name)
      : baseExpect
          .poll(async () => {
            actual = "run" in session && (await session.value(name as never));
            return actual;
          })
          .toEqual(expected);
    let failure = "";
    const pass = await checked.then(
      () => true,
      (error: Error) => {
        failure = error.message;
        return false;
      },
    );
    if (field) return { pass, message: () => failure };
    const [received, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
    const message = () => `The server's session holds ${received} under "${name}", expected ${wanted}`;
    return { pass, message };
  },
});
