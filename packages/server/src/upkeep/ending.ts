import { after, SessionError } from "@catnap/shared";
import type { Settings } from "../settings.ts";
import type { SessionInfo, SessionRecord } from "../stores/store.ts";
import type { AccessTimes } from "./access-times.ts";

/** Present in a session that a login has replaced, with the identifier of the one in its place: it opens to nobody. */
export const replacedKey = "~replaced";

/** For so long a browser's first push may be late, or replayed, and begins no session anew. */
const tombstoneMs = 86_400_000;

/**
 * Ends a session in the store, and says whether there was one. A browser's first push that is late, or replayed without its
 * cookie, would make the session anew, under the same identifier. So a tombstone comes first: a record under a key of its
 * own, that opens to nobody, and is asked for whenever a first push has made a session (`wasEnded`).
 */
export async function endSession(settings: Settings, accessTimes: AccessTimes, identifier: string): Promise<boolean> {
  const { store, tokens, report } = settings;
  accessTimes.forget(identifier);
  if (tokens.isOfNonce(identifier)) {
    // The session has to end all the same.
    await leaveTombstone(settings, identifier).catch((error: unknown) => report({ kind: "background", error }));
  }
  return store.delete(identifier);
}

/** An end that failed is tried again after so long, then after twice as long, and so on, so many times. */
const [againMs, mostTries] = [1_000, 10];

/** Ends a session; where the store fails, `report` is told, and it is tried again in the background. */
export async function endSurely(
  settings: Settings,
  accessTimes: AccessTimes,
  identifier: string,
  tries = 0,
): Promise<void> {
  try {
    await endSession(settings, accessTimes, identifier);
  } catch (error) {
    settings.report({ kind: "background", error });
    if (tries >= mostTries) return;
    after(againMs * 2 ** tries, () => void endSurely(settings, accessTimes, identifier, tries + 1), true);
  }
}

async function leaveTombstone({ store, tokens, clock }: Settings, identifier: string): Promise<void> {
  const now = clock();
  const create = { createdAt: now, endsAt: now + tombstoneMs };
  const nothing = { transactions: 0, expect: new Map<string, number>(), changes: new Map() };
  await store.write(tokens.tombstoneOf(identifier), {
    now,
    create,
    accessedAt: now,
    timeoutMs: tombstoneMs,
    ...nothing,
  });
}

/** Whether a session of this identifier has ended lately, and must not begin anew. */
export async function wasEnded({ store, tokens }: Settings, identifier: string): Promise<boolean> {
  return (await store.read(tokens.tombstoneOf(identifier))) !== null;
}

/** A session has counted its first transaction. */
export function isTombstone({ transactions }: Pick<SessionInfo, "transactions">): boolean {
  return transactions === 0;
}

/** Whether what a store has under a session's identifier is one. */
export function isLiving(record: SessionRecord | null): record is SessionRecord {
  return record !== null && !isTombstone(record) && !record.entries.has(replacedKey);
}

/** What is thrown where a session that has ended is used. */
export function gone(): SessionError {
  return new SessionError(
    "SESSION_GONE",
    "The session has ended: nothing was written, and the next transaction starts a new one",
  );
}
