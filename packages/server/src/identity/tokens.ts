import { createHash, hash } from "node:crypto";
import { randomText } from "../random.ts";

/** A cookie's content: which session, and the secret that opens it. */
export interface Token {
  readonly identifier: string;
  readonly secret: string;
}

/** The name of a definition that was not given one. */
const defaultName = "catnap";

const sha256 = (purpose: string, text: string) => createHash("sha256").update(purpose).update(text);

/** 256 random bits, secret. */
export const mintSecret = (): string => randomText(32);

const tokenPattern = /^([A-Za-z0-9_-]{22,80})\.([A-Za-z0-9_-]{43})$/;

/** Takes a token apart; `null` for anything that Catnap never issued, before anything is looked up. */
export function parseToken(text: string): Token | null {
  if (text.length > 124) return null;
  const [, identifier, secret] = tokenPattern.exec(text) ?? [];
  return identifier !== undefined && secret !== undefined ? { identifier, secret } : null;
}

export const formatToken = ({ identifier, secret }: Token): string => `${identifier}.${secret}`;

/** So many characters of an identifier are random, or come of a browser's nonce. */
const [mintedLength, nonceLength, tagLength] = [22, 32, 4];

/**
 * Identifiers and hashes of one app: two that share a store, or a host, take no session of each other's. The name of the
 * definition goes into every hash, and identifiers of any name but the default end with four characters that tell whose
 * they are, without a look at the record.
 */
export class Tokens {
  readonly #name: string;
  readonly #tag: string;

  constructor(name: string) {
    this.#name = name;
    this.#tag = name === defaultName ? "" : sha256("name:", name).digest("base64url").slice(0, tagLength);
  }

  /** 128 random bits, public. */
  mintIdentifier(): string {
    return randomText(16) + this.#tag;
  }

  /** The identifier of the session that a browser's nonce starts; tells nothing of the nonce. */
  identifierOf(nonce: string): string {
    const digest = sha256("identifier:", `${this.#name}:${nonce}`).digest("base64url");
    return digest.slice(0, nonceLength) + this.#tag;
  }

  /** Whether a browser's nonce has made this identifier, and could make it again. */
  isOfNonce(identifier: string): boolean {
    return identifier.length === nonceLength + this.#tag.length;
  }

  /** The key of the record that says that a session has ended. */
  tombstoneOf(identifier: string): string {
    return sha256("ended:", identifier).digest("base64url").slice(0, nonceLength) + this.#tag;
  }

  /** Whether a session is this app's. */
  owns(identifier: string): boolean {
    const tagged = identifier.length === mintedLength + tagLength || identifier.length === nonceLength + tagLength;
    return (tagged ? identifier.slice(-tagLength) : "") === this.#tag;
  }

  /** The hash that a store keeps of a token's secret. */
  hash(secret: string): string {
    return hash("sha256", `${this.#name}:${secret}`, "base64url");
  }

  /** The hash of a ticket's, made apart, so that neither passes for the other. */
  hashTicket(secret: string): string {
    return sha256("ticket:", `${this.#name}:${secret}`).digest("base64url");
  }
}

/** Compares two hashes. Looks at every character, whatever it has seen: a fraction of the price of `timingSafeEqual`, which wants two Buffers. */
export function sameHash(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
