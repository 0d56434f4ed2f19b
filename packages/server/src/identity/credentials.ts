import { createHash } from "node:crypto";
import { SessionError } from "@catnap/shared";
import type { Entry, SessionRecord } from "../stores/store.ts";
import { unreadable } from "../stores/unreadable.ts";

/** The entry that holds a session's credentials: hashes and times, never a secret. */
export const credentialsKey = "~tokens";

/** How long two first requests of one browser recognise each other by their nonce, in milliseconds. */
const claimMs = 60_000;
const ticketMs = 60_000;

/** Of each kind a session keeps so many; of tokens that are over the oldest is forgotten first. */
const most = 8;

type Dated = readonly [hash: string, at: number];

/** A token in use. */
interface Issued {
  readonly hash: string;
  readonly issuedAt: number;
  /** It came of a ticket, or took the place of one that did. */
  readonly handed: boolean;
}

/** A token that has a successor which nobody has used yet. */
interface Superseded {
  readonly hash: string;
  readonly issuedAt: number;
  /** The successor's hash. */
  readonly by: string;
}

/** What may open a session, as it rests. */
export interface Credentials {
  /** Tokens in use: one, and one for each page that a ticket was handed to. */
  readonly current: readonly Issued[];
  /** Tokens whose successor may not have reached the browser. */
  readonly superseded: readonly Superseded[];
  /** Tokens whose successor was used, with the end of their grace; kept beyond it, so that their use shows as theft. */
  readonly retired: readonly Dated[];
  /** Unused tickets, with their end. */
  readonly tickets: readonly Dated[];
  /** Lets other first requests of the same browser receive the token that the first one was given. */
  readonly claim?: { readonly masked: string; readonly until: number };
}

const none: Credentials = { current: [], superseded: [], retired: [], tickets: [] };

/** The credentials of a new session: one token, and the claim of the browser's nonce. */
export function firstCredentials(hash: string, now: number, claim?: { secret: string; nonce: string }): Credentials {
  const first: Credentials = { ...none, current: [{ hash, issuedAt: now, handed: false }] };
  if (claim === undefined) return first;
  return { ...first, claim: { masked: mask(claim.secret, claim.nonce), until: now + claimMs } };
}

/**
 * The secret that the session of this nonce was given, for a request that was under way at the same time; `null` when
 * the minute has passed. Whether it is the right one, its hash tells. What rests in the store is the secret masked with a
 * hash of the nonce: it opens nothing without the browser that made the nonce.
 */
export function claimedSecret({ claim }: Credentials, nonce: string, now: number): string | null {
  return claim && claim.until > now ? mask(claim.masked, nonce) : null;
}

function mask(secret: string, nonce: string): string {
  const pad = createHash("sha256").update("mask:").update(nonce).digest();
  return Buffer.from(Buffer.from(secret, "base64url").map((byte, i) => byte ^ (pad[i] ?? 0))).toString("base64url");
}

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
  const found = current.find((each) => equal(each.hash, hash));
  if (found) {
    const { issuedAt } = found;
    return { kind: "current", issuedAt, confirms: superseded.some(({ by }) => by === found.hash) };
  }
  const replaced = superseded.find((each) => equal(each.hash, hash));
  if (replaced) {
    const successor = current.find((each) => each.hash === replaced.by);
    return { kind: "superseded", issuedAt: replaced.issuedAt, since: successor?.issuedAt ?? now };
  }
  const late = retired.find(([known]) => equal(known, hash));
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

/** How a token gets its successor. */
export interface Succession {
  /** The token that was presented. */
  readonly hash: string;
  /** The successor's. */
  readonly next: string;
  readonly now: number;
  /** Whether all other tokens, and all tickets, end with it: at a login, and when the app asks for a rotation. */
  readonly alone: boolean;
  /** Whether somebody has logged in: the old token then counts as older than any login. */
  readonly login: boolean;
  /** Whether the old token ends at once, although the answer that carries the new one may be lost. */
  readonly atOnce: boolean;
}

/** Puts a new token in the place of the one that was presented, which stays good until the new one was used, and a grace longer. */
export function succeeded(
  credentials: Credentials,
  { hash, next, now, alone, login, atOnce }: Succession,
): Credentials {
  const { current, superseded, retired, tickets } = credentials;
  // One whose answer was lost has a successor already, which may still turn up.
  const lost = superseded.find((each) => each.hash === hash)?.by;
  const line = new Set(lost === undefined ? [hash] : [hash, lost]);
  const replaced = current.filter((each) => line.has(each.hash));
  const earlier = superseded.filter((each) => line.has(each.hash) || line.has(each.by));
  const old = [...replaced, ...earlier].map((each) => ({
    hash: each.hash,
    issuedAt: login ? 0 : each.issuedAt,
    by: next,
  }));
  const others = {
    current: alone ? [] : current.filter((each) => !replaced.includes(each)),
    superseded: alone ? [] : superseded.filter((each) => !earlier.includes(each)),
  };
  const successor = { hash: next, issuedAt: now, handed: replaced.some(({ handed }) => handed) };
  return {
    current: [...others.current, successor],
    superseded: atOnce ? others.superseded : [...old, ...others.superseded].slice(0, most),
    retired: atOnce ? retire(old, retired, now) : retired,
    tickets: alone ? [] : alive(tickets, now),
  };
}

/** Notes that a token was used, and so has arrived: those that it has replaced retire when the grace is over. */
export function confirmed(credentials: Credentials, hash: string, graceEnd: number): Credentials {
  const replaced = credentials.superseded.filter(({ by }) => by === hash);
  if (replaced.length === 0) return credentials;
  return {
    ...credentials,
    superseded: credentials.superseded.filter(({ by }) => by !== hash),
    retired: retire(replaced, credentials.retired, graceEnd),
  };
}

function retire(tokens: readonly Superseded[], retired: readonly Dated[], graceEnd: number): readonly Dated[] {
  return [...tokens.map(({ hash }) => [hash, graceEnd] as const), ...retired].slice(0, most);
}

const alive = (tickets: readonly Dated[], now: number) => tickets.filter(([, until]) => until > now);

/** Throws `LIMIT_EXCEEDED` for more tickets of one transaction than a session may have. */
export function assertTicketCount(count: number): void {
  if (count <= most) return;
  throw new SessionError(
    "LIMIT_EXCEEDED",
    `A session has ${most} unused tickets at most: call sessionEncode for fewer URLs in one transaction`,
  );
}

/** Adds tickets by their hashes; the oldest go when there are too many. */
export function withTickets(credentials: Credentials, hashes: readonly string[], now: number): Credentials {
  assertTicketCount(hashes.length);
  const fresh = hashes.map((hash) => [hash, now + ticketMs] as const);
  return { ...credentials, tickets: [...fresh, ...alive(credentials.tickets, now)].slice(0, most) };
}

/** Takes a ticket out and a token in; `null` when the ticket is used, too old, or none. */
export function redeemed(credentials: Credentials, ticket: string, token: string, now: number): Credentials | null {
  const tickets = alive(credentials.tickets, now);
  if (!tickets.some(([known]) => equal(known, ticket))) return null;
  const handed = [...credentials.current.filter((each) => each.handed), { hash: token, issuedAt: now, handed: true }];
  return {
    ...credentials,
    current: [...credentials.current.filter((each) => !each.handed), ...handed.slice(-most)],
    tickets: tickets.filter(([known]) => known !== ticket),
  };
}

/** What was read of an entry: entries are immutable, and a store in memory gives the same one with every request. */
const read = new WeakMap<Entry, Credentials>();

/** Reads the credentials of a record; a record without any opens to nobody. Throws `STORE_UNUSABLE` for what cannot be read. */
export function readCredentials({ identifier, entries }: Pick<SessionRecord, "identifier" | "entries">): Credentials {
  const entry = entries.get(credentialsKey);
  if (entry?.value == null) return none;
  let credentials = read.get(entry);
  if (!credentials) {
    const parsed = parseCredentials(entry.value);
    if (!parsed) throw unreadable(identifier, credentialsKey);
    credentials = parsed;
    read.set(entry, credentials);
  }
  return credentials;
}

const hashes = "[A-Za-z0-9_-]{43}";
const wordPattern = new RegExp(`^([chrtn])(${hashes})([0-9a-z]{1,11})$|^s(${hashes})(${hashes})([0-9a-z]{1,11})$`);

function parseCredentials(text: string): Credentials | null {
  const current: Issued[] = [];
  const superseded: Superseded[] = [];
  const dated: Record<string, Dated[]> = { r: [], t: [], n: [] };
  for (const word of text.split(" ")) {
    const match = wordPattern.exec(word);
    if (!match) return null;
    const [, kind, hash = "", at = "", old, by = "", issuedAt = ""] = match;
    if (old !== undefined) superseded.push({ hash: old, by, issuedAt: Number.parseInt(issuedAt, 36) });
    else if (kind === "c" || kind === "h")
      current.push({ hash, issuedAt: Number.parseInt(at, 36), handed: kind === "h" });
    else dated[kind ?? ""]?.push([hash, Number.parseInt(at, 36)]);
  }
  const { r: retired = [], t: tickets = [], n: [claim] = [] } = dated;
  return { current, superseded, retired, tickets, ...(claim && { claim: { masked: claim[0], until: claim[1] } }) };
}

/** Writes credentials as they rest: a word for each, which tells its kind by the first letter. Short, because every session has some. */
export function formatCredentials({ current, superseded, retired, tickets, claim }: Credentials): string {
  const time = (at: number) => Math.round(at).toString(36);
  return [
    ...current.map(({ hash, issuedAt, handed }) => `${handed ? "h" : "c"}${hash}${time(issuedAt)}`),
    ...superseded.map(({ hash, by, issuedAt }) => `s${hash}${by}${time(issuedAt)}`),
    ...retired.map(([hash, end]) => `r${hash}${time(end)}`),
    ...tickets.map(([hash, end]) => `t${hash}${time(end)}`),
    ...(claim ? [`n${claim.masked}${time(claim.until)}`] : []),
  ].join(" ");
}

/** Looks at every character, whatever it has seen: a fraction of the price of `timingSafeEqual`, which wants two Buffers. */
function equal(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
