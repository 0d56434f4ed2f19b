import type { Previous } from "@catnap/shared";
import { readCredentials } from "../identity/credentials-text.ts";
import { judge, type Standing } from "../identity/standing.ts";
import type { Token } from "../identity/tokens.ts";
import type { Settings } from "../settings.ts";
import type { SessionRecord } from "../stores/store.ts";
import type { AccessTimes } from "../upkeep/access-times.ts";
import { expiryOf } from "../upkeep/clocks.ts";
import type { Subjects } from "../upkeep/subjects.ts";

/** What recognising needs of the server besides its settings. */
export interface Recognisers {
  readonly accessTimes: AccessTimes;
  readonly subjects: Subjects;
}

/** A session that a token has opened. */
export interface Admission {
  readonly record: SessionRecord;
  /** The token's hash. */
  readonly hash: string;
  readonly standing: Standing;
}

/**
 * What the token of a cookie opens, or what became of the session that it names. A connection `keeps` the cookie that it
 * was opened with, so that a rotated token is no sign of theft there: `rotated`.
 */
export async function recognise(
  settings: Settings,
  { accessTimes, subjects }: Recognisers,
  { identifier, secret }: Token,
  keeps: boolean,
): Promise<Admission | "rotated" | Exclude<Previous, "none">> {
  const { store, tokens, clock } = settings;
  if (!tokens.owns(identifier)) return "unknown";
  const stored = await store.read(identifier);
  if (!stored) return "unknown";
  const record = accessTimes.ahead(stored);
  const hash = tokens.hash(secret);
  const standing = judge(readCredentials(record), hash, clock());
  if (standing.kind === "reused") {
    if (keeps) return "rotated";
    await reused(settings, subjects, record);
  }
  if (standing.kind === "reused" || standing.kind === "unknown") return "unknown";
  return expiryOf(settings, record) <= clock() ? "expired" : { record, hash, standing };
}

/** Whoever holds a retired token got it from somewhere: the operator hears of it, and the session may end. */
async function reused(settings: Settings, subjects: Subjects, { identifier, subject }: SessionRecord): Promise<void> {
  const ended = settings.onReuse === "invalidate" && (await subjects.revoke(identifier));
  settings.report({ kind: "reuse", identifier, subject, ended });
}
