import { type Push, SessionError, type SyncFailure } from "@catnap/shared";
import type { RequestInfo } from "../exchange/exchange.ts";
import { isPush } from "../sync/push-procedures.ts";
import { toTRPCError } from "../trpc-error.ts";
import { wrapCall } from "./barrier.ts";

/** What becomes of a push: refused, or decided up to `acked`. */
export type PushOutcome = SyncFailure | { readonly ok: true; readonly acked: number };

/**
 * Lets the calls of a batch that come after its push begin only once they see what the push changes: `sessionLink` sends a
 * browser's changes ahead of the mutation that relies on them, in one request, and tRPC runs the calls of a batch side by
 * side. A push that is not applied fails them, before they run, so that the browser can send them again after the push;
 * one of a session that has ended, or of a browser without cookies, does not, since nothing of it will arrive.
 */
export class PushFirst {
  /** Whether any call waits for the push. */
  readonly awaited: boolean;
  #settle: ((error: unknown) => void) | undefined;

  constructor(info: RequestInfo | undefined) {
    const calls = info?.calls ?? [];
    const at = calls.length > 1 ? calls.findIndex(({ procedure }) => isPush(procedure)) : -1;
    const [push, ...followers] = at < 0 ? [] : calls.slice(at);
    this.awaited = followers.length > 0;
    if (!push || !this.awaited) return;
    const decided = new Promise<void>((resolve, reject) => {
      this.#settle = (error) => (error === null ? resolve() : reject(error));
    });
    decided.catch(() => undefined); // the followers' to hear of, if any of them runs
    wrapCall(push, async (inner) => {
      try {
        const answer = await inner();
        this.#settle?.(null);
        return answer;
      } catch (error) {
        this.#settle?.(error);
        throw error;
      }
    });
    for (const call of followers) {
      wrapCall(call, async (inner) => {
        await decided;
        return inner();
      });
    }
  }

  /** Lets the calls begin, or fails them. */
  decide(push: Push, outcome: PushOutcome): void {
    this.#settle?.(toTRPCError(obstacle(push, outcome)));
  }
}

/** Why a call that relies on the push must not run; `null`: it may. */
function obstacle({ upTo }: Push, outcome: PushOutcome): SessionError | null {
  if (!outcome.ok) {
    return /^SESSION_|^NO_COOKIE/.test(outcome.code) ? null : new SessionError(outcome.code, outcome.message);
  }
  if (outcome.acked >= upTo) return null;
  return new SessionError(
    "CONFLICT",
    "This call comes after changes of the browser that were not taken yet, and did not run: send it again after them",
  );
}
