import { SessionError } from "@catnap/shared";
import { invalid } from "../option-checks.ts";
import type { Settings } from "../settings.ts";
import { expiryOf } from "../upkeep/clocks.ts";
import { isLiving } from "../upkeep/ending.ts";
import { assertIdentifier } from "../upkeep/subjects.ts";
import { RequestSession, type RequestShared } from "./request-session.ts";

/**
 * One transaction on a living session, without a request: commits what `work` has written when it returns. That the session
 * was opened is no use of it: its access time and its count of transactions stay.
 */
export async function openSession<R>(
  settings: Settings,
  shared: RequestShared,
  identifier: string,
  work: (session: never) => R | Promise<R>,
): Promise<R> {
  assertIdentifier(identifier);
  if (typeof work !== "function")
    throw invalid("open takes a function besides the identifier: open(identifier, (session) => …)");
  const left = shared.underWay.enter();
  try {
    const stored = settings.tokens.owns(identifier) ? await settings.store.read(identifier) : null;
    if (!isLiving(stored)) throw notThere();
    const record = shared.accessTimes.ahead(stored);
    if (expiryOf(settings, record) <= settings.clock())
      throw new SessionError("SESSION_EXPIRED", "The session has expired: nothing was done");
    const call = await RequestSession.of(settings, shared, record, "open").begin();
    let value: R;
    try {
      // The settings' class is the app's own, made for the definition that `work` is typed by.
      value = await work(call.session as never);
    } catch (error) {
      await call.fail(error);
      throw error;
    }
    await call.succeed();
    return value;
  } finally {
    left();
  }
}

/** Not told apart: one that never was, one that has ended, and one of another app's. */
function notThere(): SessionError {
  return new SessionError(
    "SESSION_GONE",
    "There is no session of this identifier here: it has ended, or never was; nothing was done",
  );
}
