import type { ChangesEvent, ChangesInput } from "@catnap/shared";
import type { TrackedEnvelope } from "@trpc/server";
import type { Draft } from "../commit/draft.ts";

/** What a fork needs of the request that it belongs to, besides the view that it starts from. */
export interface ForkOrigin {
  /** Takes a call's changes over and commits them. */
  commit(draft: Draft): Promise<void>;
  follow(input: ChangesInput, left: AbortSignal | undefined): AsyncIterable<TrackedEnvelope<ChangesEvent>>;
}
