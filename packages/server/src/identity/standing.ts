import { SessionError } from "@catnap/shared";
import type { Credentials } from "./credentials.ts";
import { sameHash } from "./tokens.ts";

/**
 * What a presented token is to the session.
 * - `current`: the newest. `confirms`: it has taken the place of others, and this is its first use.
 * - `superseded`: it has a successor that nobody has used, since `since`. The answer that carried it may be lost.
 * - `grace`: its successor is in use; requests in flight may end. `reused`: they should have.
 */
export type Standing =
  | { readonly kind: "current"; readonly issuedAt: number; readonly confirms: boolean }
  | { readonly kind: "superseded"; readonly issuedAt: number; readonly since: number }
  | { readonly kind: "grace" }
  | { readonly kind: "reused" }
  | { readonly kind: "unknown" };

/** Judges a token by its hash, in time that does not depend on how much of it is right. */
export function judge({ current, superseded, retired }: Credentials, hash: string, now: number): Standing {
  const found = current.find((each) => sameHash(each.hash, hash));
  if (found) {
    const { issuedAt } = found;
    return { kind: "current", issuedAt, confirms: superseded.some(({ by }) => by === found.hash) };
  }
  const replaced = superseded.find((each) => sameHash(each.hash, hash));
  if (replaced) {
    const successor = current.find((each) => each.hash === replaced.by);
    return { kind: "superseded", issuedAt: replaced.issuedAt, since: successor?.issuedAt ?? now };
  }
  const late = retired.find(([known]) => sameHash(known, hash));
  if (!late) return { kind: "unknown" };
  return late[1] > now ? { kind: "grace" } : { kind: "reused" };
}

/**
 * Whether a token may get a successor: the newest may, and one whose successor has not been used within the grace, since the
 * answer that carried it is then taken for lost. `provenAt`: when somebody has logged in. A token from before a login may
 * get a successor by another login alone: what proves a login is not inherited from what came before it.
 */
export function mayRotate(standing: Standing, now: number, graceMs: number, provenAt: number | null): boolean {
  if (standing.kind === "current") return true;
  return isLost(standing, now, graceMs) && (provenAt === null || standing.issuedAt >= provenAt);
}

/** Whether a token may log in. */
export function mayLogIn(standing: Standing, now: number, graceMs: number): boolean {
  return standing.kind === "current" || isLost(standing, now, graceMs);
}

type Lost = Extract<Standing, { kind: "superseded" }>;

function isLost(standing: Standing, now: number, graceMs: number): standing is Lost {
  return standing.kind === "superseded" && standing.since + graceMs <= now;
}

/** What is thrown where a token that has a successor is used for more than to end what was under way. */
export function tokenRotated(what: string): SessionError {
  return new SessionError(
    "TOKEN_ROTATED",
    `${what} needs the newest token, and this request came with one that was rotated meanwhile: send the request again`,
  );
}
