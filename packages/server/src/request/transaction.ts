import type { Session } from "@catnap/shared";
import type { HeldAnswer } from "../exchange/exchange.ts";
import { isResponse } from "../exchange/fetch-api.ts";
import type { Call } from "./call.ts";

/** How a function has ended that works on a session. */
type End<R> = { readonly kind: "returned"; readonly value: R } | { readonly kind: "threw"; readonly error: unknown };
/** What ends its transaction: its end, or that it has begun to answer, and goes on. */
type Outcome<R> = End<R> | { readonly kind: "answered"; readonly end: Promise<End<R>> };

/** Tells of something thrown that it is a redirect. */
export type IsRedirect = (thrown: unknown) => boolean;

/**
 * One transaction around a function: what it has written is committed before this resolves, and dropped when it throws or
 * answers with a failure. Where the application answers by itself, the answer waits for the commit.
 */
export async function transact<R>(
  call: Call,
  held: HeldAnswer | undefined,
  work: (session: Session) => R | Promise<R>,
  isRedirect: IsRedirect,
): Promise<R> {
  const end = settle(() => work(call.session));
  const outcome = held ? await Promise.race([end, answered(held, end)]) : await end;
  try {
    if (succeeded(outcome, held, isRedirect)) await call.succeed();
    else await call.fail(outcome.kind === "threw" ? outcome.error : undefined);
  } catch (error) {
    held?.discard();
    throw error;
  }
  // What a handler that failed has answered before is not what the framework says of the failure.
  if (outcome.kind === "threw" && !isRedirect(outcome.error)) held?.discard();
  else held?.release();
  const last = outcome.kind === "answered" ? await outcome.end : outcome;
  if (last.kind === "threw") throw last.error;
  return last.value;
}

async function settle<R>(work: () => R | Promise<R>): Promise<End<R>> {
  try {
    return { kind: "returned", value: await work() };
  } catch (error) {
    return { kind: "threw", error };
  }
}

/** The transaction ends with the answer at the latest; a handler whose last act it was may still end, or fail, with it. */
async function answered<R>(held: HeldAnswer, end: Promise<End<R>>): Promise<Outcome<R>> {
  await held.answered;
  const soon = new Promise<null>((resolve) => setImmediate(resolve, null));
  return (await Promise.race([end, soon])) ?? { kind: "answered", end };
}

function succeeded<R>(outcome: Outcome<R>, held: HeldAnswer | undefined, isRedirect: IsRedirect): boolean {
  if (outcome.kind === "threw") return isRedirect(outcome.error);
  if (outcome.kind === "returned" && isResponse(outcome.value) && outcome.value.status >= 500) return false;
  return held === undefined || held.status < 500;
}

/** A thrown `Response` below 400, as routers throw their redirects. */
export function isRedirectResponse(thrown: unknown): thrown is Response {
  return isResponse(thrown) && thrown.status < 400;
}
