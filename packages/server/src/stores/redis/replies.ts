import { SessionError } from "@catnap/shared";
import type { StoreKey } from "../store.ts";

// Reads what a client hands over of a server's answers. Each of these ends, and throws for what is no answer to the
// command, with the identifier of the session that was asked for, where it was one.

/** A reply that no Redis gives: a proxy changes what goes through it, or the client was told to. */
export function strange(reply: unknown, identifier?: StoreKey): SessionError {
  if (reply instanceof Uint8Array) {
    return new SessionError(
      "INVALID_OPTION",
      "redisStore: the client answers Buffers where the store needs text: leave RESP_TYPES.BLOB_STRING out of its commandOptions.typeMapping (redis), and its methods as they are (ioredis)",
    );
  }
  const kind = reply === null ? "null" : Array.isArray(reply) ? `a list of ${reply.length}` : `a ${typeof reply}`;
  const whose = identifier === undefined ? "" : `Session ${identifier} cannot be read: `;
  return new SessionError(
    "STORE_UNUSABLE",
    `${whose}the session server answers ${kind} where Redis has something else; use Redis or Valkey from version 7 on, and no proxy that changes answers`,
  );
}

export function textOf(reply: unknown, identifier?: StoreKey): string {
  if (typeof reply === "string") return reply;
  throw strange(reply, identifier);
}

export function listOf(reply: unknown, identifier?: StoreKey): readonly unknown[] {
  if (Array.isArray(reply)) return reply;
  throw strange(reply, identifier);
}

export function textsOf(reply: unknown): string[] {
  return listOf(reply).map((item) => textOf(item));
}

/** A number, which some clients hand over as text. */
export function numberOf(reply: unknown, identifier?: StoreKey): number {
  const number = typeof reply === "string" && reply !== "" ? Number(reply) : reply;
  if (typeof number === "number" && Number.isFinite(number)) return number;
  throw strange(reply, identifier);
}
