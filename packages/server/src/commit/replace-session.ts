import { type Key, SessionError } from "@catnap/shared";
import { credentialsKey } from "../identity/credentials-text.ts";
import { mayLogIn, tokenRotated } from "../identity/standing.ts";
import type { Settings } from "../settings.ts";
import { committed } from "../stores/entries.ts";
import type { Commit, EntryChange, SessionRecord, WriteResult } from "../stores/store.ts";
import { refusal } from "../sync/answer.ts";
import { replacedKey } from "../upkeep/ending.ts";
import { contended } from "../upkeep/turns.ts";
import { lensOf } from "../versions/lens.ts";
import { type Circumstances, planCommit, pushOn } from "./commit-plan.ts";
import { type Draft, type Kept, movedTo, type Replacement } from "./draft.ts";
import type { SessionHold } from "./session-hold.ts";

/** The parts that a replacement needs; the request's writer has them. */
export interface ReplaceParts {
  readonly settings: Settings;
  readonly hold: SessionHold;
  /** Those of a session that is made. */
  readonly circumstances: Circumstances;
  /** Hands the new session's token to the browser; throws where it cannot. */
  issue(record: SessionRecord): Promise<void>;
}

/**
 * Puts a new session in the place of the one at hand. In this order, so that what is kept is always in a session that the
 * browser can open: the new one is created with it; the old one is sealed, in one step that is refused when what is kept has
 * changed since, and that takes it away there; the browser gets its cookie; the old one is deleted.
 * A process that dies before the seal leaves the old session as it was, and a new one that nobody has a token of; after the
 * seal, an old one that opens to nobody. What fails before the seal takes the new session back.
 */
export async function replaceSession(
  parts: ReplaceParts,
  draft: Draft,
  replacement: Replacement,
  deadline: number,
): Promise<void> {
  const { settings, hold } = parts;
  const { identifier } = replacement;
  const old = atHand(parts);
  let record: SessionRecord | null = null;
  try {
    for (;;) {
      hold.bearer.assertIssue();
      record = await carry(parts, draft, replacement, record);
      const sealed = await seal(parts, replacement);
      if (sealed.ok) break;
      // Something else than what this request knew: the new session is brought up to it, and the seal tried again.
      hold.meet(sealed.record, false, undefined);
      if (performance.now() > deadline) throw contended();
    }
  } catch (error) {
    // Nobody has a token of it.
    await settings.store.delete(identifier).catch((failure: unknown) => settings.report(background(failure)));
    throw error;
  }
  hold.succeed(record);
  const { push } = draft.wishes;
  // What it changed in what is kept came along; the tab has to learn that its browser has another session.
  if (push) push.answer = refusal("SESSION_REPLACED");
  try {
    await parts.issue(record);
  } finally {
    await hold.retire(old.identifier);
  }
}

const background = (error: unknown) => ({ kind: "background", error }) as const;

/** The session at hand as far as this request knows it, when its token may still log in. */
function atHand({ settings, hold: { record, bearer } }: ReplaceParts): SessionRecord {
  if (record && mayLogIn(bearer.standingIn(record), settings.clock(), settings.graceMs)) return record;
  throw tokenRotated("login");
}

/** Creates the new session, or brings it up to what the old one has of the kept values by now. */
async function carry(
  parts: ReplaceParts,
  draft: Draft,
  replacement: Replacement,
  record: SessionRecord | null,
): Promise<SessionRecord> {
  const { settings, circumstances } = parts;
  const { identifier, keep } = replacement;
  const old = atHand(parts);
  const pushed = draft.wishes.push && pushOn(settings, old, draft.wishes.push.push).changes;
  const kept = new Map<Key, Kept>();
  for (const [name, key] of keep) {
    const { value = null, writer } = pushed?.get(name) ?? old.entries.get(name) ?? {};
    const sight = pushed?.has(name) ? { value } : lensOf(settings.definition).look(name, old.entries);
    kept.set(key, { resting: value, writer, sight });
  }
  const known = { record, hash: null, transactions: record ? 0 : 1 };
  const { commit } = planCommit(settings, movedTo(record, draft, kept), { ...circumstances, ...known });
  if (!commit) {
    if (record) return record;
    throw contended(); // a login always creates
  }
  const result = await settings.store.write(identifier, commit);
  if (!result.ok) throw contended(); // whoever revokes the subject's sessions has met it already
  return committed(identifier, record, commit, result.rev);
}

/**
 * Takes from the old session what is kept, and all tokens. Of what is under way there, commits that read what is kept are
 * refused from here on, and learn that the session is gone. A seal of which nobody can say whether it is in counts as one:
 * the new session has everything, and the old one's end is tried until it is in.
 */
async function seal(parts: ReplaceParts, { identifier, keep }: Replacement): Promise<WriteResult> {
  const { settings, hold } = parts;
  const old = atHand(parts);
  const changes = new Map<string, EntryChange>();
  const expect = new Map<string, number>();
  for (const name of [...keep.keys(), credentialsKey]) {
    expect.set(name, old.entries.get(name)?.rev ?? 0);
    changes.set(name, { value: name === credentialsKey ? undefined : null, writer: "server", seq: 0 });
  }
  changes.set(replacedKey, { value: identifier, writer: "server", seq: 0 });
  const now = settings.clock();
  const commit: Commit = { now, accessedAt: old.accessedAt, transactions: 0, expect, changes };
  try {
    return await settings.store.write(old.identifier, commit);
  } catch (error) {
    if (SessionError.from(error)?.code !== "STORE_UNAVAILABLE") throw error;
    settings.report(background(error));
    return { ok: true, rev: hold.record?.rev ?? 0 };
  }
}
