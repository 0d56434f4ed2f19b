import { createHash } from "node:crypto";
import { SessionError } from "@catnap/shared";
import { sameHash } from "./tokens.ts";

/** How long two first requests of one browser recognise each other by their nonce, in milliseconds. */
const claimMs = 60_000;
const ticketMs = 60_000;

/** Of each kind a session keeps so many; of tokens that are over the oldest is forgotten first. */
const most = 8;

/** A hash, and the time that goes with it. */
export type Dated = readonly [hash: string, at: number];

/** A token in use. */
export interface Issued {
  readonly hash: string;
  readonly issuedAt: number;
  /** It came of a ticket, or took the place of one that did. */
  readonly handed: boolean;
}

/** A token that has a successor which nobody has used yet. */
export interface Superseded {
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

/** What a record without any credentials has: it opens to nobody. */
export const noCredentials: Credentials = { current: [], superseded: [], retired: [], tickets: [] };

/** The credentials of a new session: one token, and the claim of the browser's nonce. */
export function firstCredentials(hash: string, now: number, claim?: { secret: string; nonce: string }): Credentials {
  const first: Credentials = { ...noCredentials, current: [{ hash, issuedAt: now, handed: false }] };
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
  if (!tickets.some(([known]) => sameHash(known, ticket))) return null;
  const handed = [...credentials.current.filter((each) => each.handed), { hash: token, issuedAt: now, handed: true }];
  return {
    ...credentials,
    current: [...credentials.current.filter((each) => !each.handed), ...handed.slice(-most)],
    tickets: tickets.filter(([known]) => known !== ticket),
  };
}
