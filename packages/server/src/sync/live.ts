import {
  after,
  type Cancel,
  type ChangesEvent,
  type ChangesInput,
  noteName,
  SessionError,
  type SyncFailure,
} from "@catnap/shared";
import { TRPCError, type TrackedEnvelope, tracked } from "@trpc/server";
import { readCredentials } from "../identity/credentials-text.ts";
import { judge } from "../identity/standing.ts";
import type { Settings } from "../settings.ts";
import type { SessionRecord } from "../stores/store.ts";
import { boundBy, expiryOf } from "../upkeep/clocks.ts";
import { replacedKey } from "../upkeep/ending.ts";
import { answerChanges, isNewsTo, refusal } from "./answer.ts";
import type { Streams } from "./streams.ts";
import { readWatermarks } from "./watermarks.ts";

/** What a stream follows: the session as its request has found it, and the token that opened it. */
export interface Followed {
  readonly record: SessionRecord | null;
  readonly hash: string | null;
  /** Why there is no record. */
  readonly gone: "SESSION_GONE" | "SESSION_EXPIRED" | "NO_COOKIE";
}

/**
 * Follows a session: first what changed since the revision that the browser knows, then each change as it comes, except
 * where all of it is that browser's own, which it knows already. It listens before it reads, so that nothing falls in
 * between. The last event tells that the session has ended. A stream whose token was rotated ends without one: whoever
 * was given the new token comes back with it. Reading raises no access time, so that an open page keeps nothing alive.
 */
export async function* followChanges(
  settings: Settings,
  streams: Streams,
  followed: Followed,
  input: ChangesInput,
  left: AbortSignal | undefined,
): AsyncGenerator<TrackedEnvelope<ChangesEvent>, void, void> {
  const { store, definition, clock } = settings;
  const { identifier } = input;
  if (!followed.record || followed.hash === null) return yield lastEvent(followed.gone);
  if (followed.record.identifier !== identifier) return yield lastEvent("SESSION_REPLACED");
  if (!store.watch) throw cannotWatch();
  const stream = streams.open(identifier, left);
  const news = new Signal();
  const unwatch = store.watch(identifier, () => news.give());
  stream.signal.addEventListener("abort", () => news.give());
  let heard: string[] = [];
  let since = input.lastEventId == null ? input.since : Number(input.lastEventId);
  try {
    while (!stream.signal.aborted) {
      news.clear();
      const record = await streams.read(identifier, (key) => store.read(key));
      const now = clock();
      if (!record) return yield lastEvent("SESSION_GONE");
      if (record.entries.has(replacedKey)) return yield lastEvent("SESSION_REPLACED");
      const expiry = expiryOf(settings, record);
      if (expiry <= now) return yield lastEvent("SESSION_EXPIRED");
      if (judge(readCredentials(record), followed.hash, now).kind !== "current") return;
      if (isNewsTo(record, input.profile, since)) {
        const answer = answerChanges(definition, boundBy(settings, record), { ...input, since, heard }, now);
        yield tracked(String(record.rev), { ...answer, since });
        // What waits now has been told; what does not wait any more never comes again.
        heard = readWatermarks(input.profile, record).notes.map(noteName);
        since = record.rev;
      }
      await news.within(expiry - now);
    }
  } finally {
    unwatch();
    stream.close();
  }
}

function lastEvent(code: SyncFailure["code"]): TrackedEnvelope<ChangesEvent> {
  return tracked("end", refusal(code));
}

/** Not retried by tRPC's client, since no retry would help. */
function cannotWatch(): TRPCError {
  const message = "This session store has no watch: live updates need one that has";
  return new TRPCError({ code: "METHOD_NOT_SUPPORTED", message, cause: new SessionError("INVALID_OPTION", message) });
}

/** Something may have happened: given any number of times, taken once. */
class Signal {
  #given = false;
  #wake: (() => void) | undefined;

  give(): void {
    this.#given = true;
    this.#wake?.();
  }

  clear(): void {
    this.#given = false;
  }

  /** Resolves when it is given, was given since `clear`, or after so many milliseconds. */
  async within(ms: number): Promise<void> {
    if (this.#given) return;
    let cancel: Cancel | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      cancel = after(ms, resolve);
    });
    cancel?.();
  }
}
