import { createHash, hash, randomBytes } from "node:crypto";
import type { Entry } from "../store.ts";

/** The entry that holds a session's credentials: hashes and times, never a secret. */
export const credentialsKey = "~tokens";

/** How long two first requests of one browser recognise each other by their nonce, in milliseconds. */
const claimMs = 60_000;
const ticketMs = 60_000;

/** More hashes of retired tokens than this are forgotten, the oldest first. */
const maxRetired = 8;
const maxTickets = 8;

type Dated = readonly [hash: string, at: number];

/** What may open a session, as it rests. */
export interface Credentials {
  /** Tokens in use, with their time of issue: one, or one per page that a ticket was handed to. */
  readonly current: readonly Dated[];
  /** Rotated tokens, with the end of their grace; kept beyond it, so that their use shows as theft. */
  readonly retired: readonly Dated[];
  /** Unused tickets, with their end. */
  readonly tickets: readonly Dated[];
  /** Lets other first requests of the same browser receive the token that the first one was given. */
  readonly claim?: { readonly masked: string; readonly until: number };
}

/** A cookie's content: which session, and the secret that opens it. */
export interface Token {
  readonly identifier: string;
  readonly secret: string;
}

const base64url = (bytes: number) => randomBytes(bytes).toString("base64url");
const sha256 = (purpose: string, text: string) => createHash("sha256").update(purpose).update(text);

/** The hash that a store keeps of a secret. Tickets are hashed apart from tokens, so that neither passes for the other. */
export const hashToken = (secret: string): string => hash("sha256", secret, "base64url");
const hashTicket = (secret: string) => sha256("ticket:", secret).digest("base64url");

/** 128 random bits, public. */
export const mintIdentifier = (): string => base64url(16);
/** 256 random bits, secret. */
export const mintSecret = (): string => base64url(32);

/** The identifier of the session that a browser's nonce starts; tells nothing of the nonce. */
export const identifierOf = (nonce: string): string => sha256("identifier:", nonce).digest("base64url").slice(0, 32);

const part = "([A-Za-z0-9_-]{22,80})\\.([A-Za-z0-9_-]{43})";
const tokenPattern = new RegExp(`^${part}$`);

/** Takes a token apart; `null` for anything that Catnap never issued, before anything is looked up. */
export function parseToken(text: string): Token | null {
  if (text.length > 124) return null;
  const [, identifier, secret] = tokenPattern.exec(text) ?? [];
  return identifier !== undefined && secret !== undefined ? { identifier, secret } : null;
}

export const formatToken = ({ identifier, secret }: Token): string => `${identifier}.${secret}`;

/** The credentials of a new session: one token, and the claim of the browser's nonce. */
export function firstCredentials(secret: string, now: number, nonce?: string): Credentials {
  const first: Credentials = { current: [[hashToken(secret), now]], retired: [], tickets: [] };
  if (nonce === undefined) return first;
  return { ...first, claim: { masked: mask(secret, nonce), until: now + claimMs } };
}

/**
 * The token that the session of this nonce was given, for a request that was under way at the same time; `null` when
 * the nonce is another's or its minute has passed. What rests in the store is the token masked with a hash of the
 * nonce: it opens nothing without the browser that made the nonce.
 */
export function claimSecret({ claim, current }: Credentials, nonce: string, now: number): string | null {
  if (!claim || claim.until <= now) return null;
  const secret = mask(claim.masked, nonce);
  const hash = hashToken(secret);
  return current.some(([known]) => equal(known, hash)) ? secret : null;
}

function mask(secret: string, nonce: string): string {
  const pad = sha256("mask:", nonce).digest();
  return Buffer.from(Buffer.from(secret, "base64url").map((byte, i) => byte ^ (pad[i] ?? 0))).toString("base64url");
}

/** What a presented token is to the session. */
export type Standing =
  | { readonly kind: "current"; readonly issuedAt: number }
  | { readonly kind: "grace" }
  | { readonly kind: "reused" }
  | { readonly kind: "unknown" };

/** Judges a token by its hash, in time that does not depend on how much of it is right. */
export function judge(credentials: Credentials, hash: string, now: number): Standing {
  const current = credentials.current.find(([known]) => equal(known, hash));
  if (current) return { kind: "current", issuedAt: current[1] };
  const retired = credentials.retired.find(([known]) => equal(known, hash));
  if (!retired) return { kind: "unknown" };
  return retired[1] > now ? { kind: "grace" } : { kind: "reused" };
}

/** Puts `secret` in the place of the current token `hash`, which stays good until `graceEnd`. */
export function rotated(
  credentials: Credentials,
  hash: string,
  secret: string,
  now: number,
  graceEnd: number,
): Credentials {
  const retired: Dated[] = [[hash, graceEnd], ...credentials.retired];
  return {
    current: [...credentials.current.filter(([known]) => known !== hash), [hashToken(secret), now]],
    retired: retired.slice(0, maxRetired),
    tickets: credentials.tickets.filter(([, until]) => until > now),
  };
}

/** Adds a ticket; the oldest goes when there are too many. */
export function withTicket(credentials: Credentials, secret: string, now: number): Credentials {
  const alive = credentials.tickets.filter(([, until]) => until > now);
  return { ...credentials, tickets: [[hashTicket(secret), now + ticketMs] as const, ...alive].slice(0, maxTickets) };
}

/** Takes a ticket out and a token in; `null` when the ticket is used, too old, or none. */
export function redeemed(credentials: Credentials, ticket: string, secret: string, now: number): Credentials | null {
  const hash = hashTicket(ticket);
  if (!credentials.tickets.some(([known, until]) => until > now && equal(known, hash))) return null;
  return {
    ...credentials,
    current: [...credentials.current, [hashToken(secret), now]],
    tickets: credentials.tickets.filter(([known]) => known !== hash),
  };
}

/** What was read of an entry: entries are immutable, and a store in memory gives the same one with every request. */
const read = new WeakMap<Entry, Credentials>();

/** Reads the credentials of a record; a record without any opens to nobody. */
export function readCredentials(entries: ReadonlyMap<string, Entry>): Credentials {
  const entry = entries.get(credentialsKey);
  if (entry?.value == null) return { current: [], retired: [], tickets: [] };
  let credentials = read.get(entry);
  if (!credentials) {
    credentials = parseCredentials(entry.value);
    read.set(entry, credentials);
  }
  return credentials;
}

/** Of 43 characters of a hash, or of a masked token, and whole milliseconds in base 36. */
const word = (kind: string, [hash, at]: Dated): string => `${kind}${hash}${Math.round(at).toString(36)}`;

function parseCredentials(text: string): Credentials {
  const words = text.split(" ").map((each) => ({
    kind: each[0],
    dated: [each.slice(1, 44), Number.parseInt(each.slice(44), 36)] as const,
  }));
  const of = (kind: string) => words.filter((each) => each.kind === kind).map(({ dated }) => dated);
  const [claim] = of("n");
  return {
    current: of("c"),
    retired: of("r"),
    tickets: of("t"),
    ...(claim ? { claim: { masked: claim[0], until: claim[1] } } : {}),
  };
}

/** Writes credentials as they rest: a word for each, which tells its kind by the first letter. Short, because every session has some. */
export function formatCredentials({ current, retired, tickets, claim }: Credentials): string {
  return [
    ...current.map((dated) => word("c", dated)),
    ...retired.map((dated) => word("r", dated)),
    ...tickets.map((dated) => word("t", dated)),
    ...(claim ? [word("n", [claim.masked, claim.until])] : []),
  ].join(" ");
}

/** Looks at every character, whatever it has seen: a fraction of the price of `timingSafeEqual`, which wants two Buffers. */
function equal(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
