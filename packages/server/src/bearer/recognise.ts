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
  /** What the store recalled, where nobody was asked. */
  readonly recalled?: SessionRecord;
}

/** How a cookie's session is looked for. */
export interface Sources {
  /** A connection keeps the cookie that it was opened with, so that a rotated token is no sign of theft there: `rotated`. */
  readonly keeps: boolean;
  /** What the store remembers will do, where it opens the session. */
  readonly recalls: boolean;
  /** What the store has just given. */
  readonly met: SessionRecord | null;
}

/** What one token of a cookie opens, or why it opens nothing. */
type Finding = Admission | { readonly reused: SessionRecord } | Exclude<Previous, "none">;

/**
 * What the tokens of a request's cookie open, or what became of the sessions that they name. Mostly there is one. Of several
 * that open the same session the newest counts; when they open different ones, somebody has planted one of them, and none
 * counts.
 */
export async function recognise(
  settings: Settings,
  recognisers: Recognisers,
  candidates: readonly Token[],
  { keeps, recalls, met }: Sources,
): Promise<Admission | "rotated" | Exclude<Previous, "none">> {
  const findings: Finding[] = [];
  const [token] = candidates;
  const known = recalls && candidates.length === 1 && token ? recall(settings, recognisers, token) : undefined;
  if (known) return known;
  for (const token of candidates) findings.push(await find(settings, recognisers, token, met));
  const [opened, ...others] = findings.filter(isAdmission).sort((a, b) => rank(a) - rank(b));
  for (const finding of findings) {
    if (typeof finding === "string" || !("reused" in finding)) continue;
    // The cookie of a former scope keeps the token that a newer one has taken the place of.
    if (finding.reused.identifier === opened?.record.identifier) continue;
    if (keeps && !opened) return "rotated";
    await reused(settings, recognisers.subjects, finding.reused);
  }
  if (others.some(({ record }) => record.identifier !== opened?.record.identifier)) return "unknown";
  return opened ?? (findings.includes("expired") ? "expired" : "unknown");
}

const isAdmission = (finding: Finding): finding is Admission => typeof finding !== "string" && "standing" in finding;

/** The newest token first. */
const rank = ({ standing: { kind } }: Admission) => ["current", "superseded", "grace"].indexOf(kind);

async function find(
  settings: Settings,
  recognisers: Recognisers,
  token: Token,
  met: SessionRecord | null,
): Promise<Finding> {
  const { store, tokens } = settings;
  if (!tokens.owns(token.identifier)) return "unknown";
  const stored = met?.identifier === token.identifier ? met : await store.read(token.identifier);
  return stored ? admit(settings, recognisers, token, stored) : "unknown";
}

/** By what the store remembers; `undefined` where that is nothing, or does not open the session. */
function recall(settings: Settings, recognisers: Recognisers, token: Token): Admission | undefined {
  const { store, tokens } = settings;
  const recalled = tokens.owns(token.identifier) ? store.recall?.(token.identifier) : undefined;
  const finding = recalled && admit(settings, recognisers, token, recalled);
  return finding && isAdmission(finding) ? { ...finding, recalled } : undefined;
}

function admit(settings: Settings, { accessTimes }: Recognisers, { secret }: Token, stored: SessionRecord): Finding {
  const { tokens, clock } = settings;
  const record = accessTimes.ahead(stored);
  const hash = tokens.hash(secret);
  const standing = judge(readCredentials(record), hash, clock());
  if (standing.kind === "reused") return { reused: record };
  if (standing.kind === "unknown") return "unknown";
  return expiryOf(settings, record) <= clock() ? "expired" : { record, hash, standing };
}

/** Whoever holds a retired token got it from somewhere: the operator hears of it, and the session may end. */
async function reused(settings: Settings, subjects: Subjects, { identifier, subject }: SessionRecord): Promise<void> {
  const ended = settings.onReuse === "invalidate" && (await subjects.revoke(identifier));
  settings.report({ kind: "reuse", identifier, subject, ended });
}
