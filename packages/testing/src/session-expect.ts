import { type AnyDefinition, isSessionError, type NameOf, type SessionError, type ValueOf } from "@catnap/shared";
import { expect as baseExpect, type Expect, type ExpectMatcherState, type Locator } from "@playwright/test";
import type { SessionHandle } from "./session-handle.ts";

/** What can be expected of a session. */
export interface SessionAssertions<D extends AnyDefinition> {
  /** Expects the opposite: waits until it is not so. */
  readonly not: Omit<SessionAssertions<D>, "not">;
  /**
   * Waits until the server holds this value, or has it as the default; `undefined`: neither. Compares as `toEqual` does.
   * `timeout` is in milliseconds, by default that of the config's `expect`. Throws `UNKNOWN_KEY` at once for a name that
   * the definition does not have.
   */
  toHaveValue<K extends NameOf<D, "server">>(
    name: K,
    expected: ValueOf<D, K> | undefined,
    options?: { readonly timeout?: number },
  ): Promise<void>;
}

/** Playwright's `expect`, which of a session knows `toHaveValue`, typed by the session's definition. */
export type SessionExpect = OfSessions & Expect;

interface OfSessions {
  <T extends SessionHandle<AnyDefinition>>(
    session: T,
    messageOrOptions?: string | { message?: string },
  ): AssertionsOf<T>;
  readonly soft: SessionExpect;
  readonly configure: (...configuration: Parameters<Expect["configure"]>) => SessionExpect;
}

/** An `any` passes for a session too, and may be anything else. */
type AssertionsOf<T> = 0 extends 1 & T
  ? ReturnType<typeof baseExpect<T>>
  : T extends SessionHandle<infer D>
    ? SessionAssertions<D>
    : never;

/** Playwright's `expect`, whose `toHaveValue` also takes a session, a name and a value: it waits until the server holds that. */
export const expect: SessionExpect = baseExpect.extend({
  async toHaveValue(received: unknown, ...args: unknown[]) {
    const check = isSession(received) ? sessionHolds(received, this, args) : fieldHolds(received, this, args);
    const failure = await check;
    return { pass: (failure === null) !== this.isNot, message: () => failure ?? "" };
  },
  // Playwright's `extend` has no type for a matcher whose arguments depend on what is received.
}) as unknown as SessionExpect;

function isSession(received: unknown): received is SessionHandle<AnyDefinition> {
  return typeof (received as Partial<SessionHandle<AnyDefinition>> | null | undefined)?.seed === "function";
}

/** Waits until the server holds the value, or no longer does; `null`: so it is, else how it is instead. */
async function sessionHolds(
  session: SessionHandle<AnyDefinition>,
  { isNot, timeout, utils }: ExpectMatcherState,
  [name, expected, options]: unknown[],
): Promise<string | null> {
  let actual: unknown;
  let gone: SessionError | null = null;
  const read = async () => {
    gone = null;
    try {
      actual = await session.value(name as never);
    } catch (error) {
      if (!isSessionError(error, "SESSION_GONE")) throw error;
      // A page that logs out is about to be given another cookie.
      gone = error;
      actual = isNot ? expected : error;
    }
    return actual;
  };
  const poll = baseExpect.poll(read, { timeout, ...(options as { timeout?: number } | undefined) });
  try {
    await (isNot ? poll.not : poll).toEqual(expected);
    return null;
  } catch (error) {
    if (gone) throw gone;
    if (isSessionError(error)) throw error;
    const [held, wanted] = [utils.stringify(actual), utils.stringify(expected)];
    return `The server's session holds ${held} under "${String(name)}", expected ${isNot ? "anything but " : ""}${wanted}`;
  }
}

/** Playwright's own matcher of this name, which is for form fields. */
async function fieldHolds(
  field: unknown,
  { isNot, timeout }: ExpectMatcherState,
  [value, options]: unknown[],
): Promise<string | null> {
  const own = baseExpect(field as Locator);
  try {
    await (isNot ? own.not : own).toHaveValue(value as string, { timeout, ...(options as { timeout?: number }) });
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
