import { decode, encode, isSessionError, type Key, mergeValues, type Op, refusal } from "@catnap/shared";
import { untangle } from "./untangle.ts";

/**
 * A browser's value, which may be of another version of the app, as today's schema has it, encoded. It may be as long as `room`,
 * or as what is `stored`. Throws what refuses it.
 */
export function readValue(key: Key, sent: string, stored: string | null, room: number): string {
  const value = untangle(sent, key.label, Math.max(room, stored?.length ?? 0));
  const text = key.fit(value, stored);
  if (text !== null) return text;
  throw refusal("INVALID_VALUE", key.label, "is of a version of the app whose values migrate drops");
}

/** What an op did to its key: `taken` as it came, or `merged` with what had come between. */
export type Decision = "taken" | "merged";

/**
 * What a key with a merge holds while a push is applied. The value is decoded and validated once, when the first op has to
 * be merged, and encoded and validated once, at the end, however many ops change it.
 */
export class PushedValue {
  /** How long the value is, roughly, in UTF-16 units: what a merge costs. */
  weight: number;
  readonly #key: Key;
  readonly #room: number;
  readonly #stored: string | null;
  /** Encoded; `null`: absent; `undefined`: merged, and not encoded since. */
  #text: string | null | undefined;
  /** What the merges gave, encoded, once it was asked for. */
  #merged: string | undefined;
  /** Decoded, of the schema's type; `undefined`: absent, or not decoded yet. */
  #value: unknown;
  /** The last op's own value, as it came and as the schema has it: in a chain the next change was made from it. */
  #last: { readonly sent: string; readonly text: string } | undefined;

  /** `stored` is a value of today's schema. `room` is how long one of the browser's may be. */
  constructor(key: Key, stored: string | null, room: number) {
    this.#key = key;
    this.#room = room;
    this.#text = this.#stored = stored;
    this.weight = stored?.length ?? 0;
  }

  /** Applies an op. Throws what refuses it, and has then changed nothing. */
  apply({ value, from = null }: Pick<Op, "value" | "from">): Decision {
    if (value === null) {
      this.#set(null, undefined);
      return "taken";
    }
    const mine = this.#read(value);
    if (this.#equals(from)) {
      this.#set(mine, undefined);
      this.#last = { sent: value, text: mine };
      return "taken";
    }
    const theirs = this.#current();
    // Nothing is there to merge with.
    if (theirs === undefined) this.#set(mine, undefined);
    else this.#set(undefined, this.#merge(from, mine, theirs), value.length);
    this.#last = { sent: value, text: mine };
    return "merged";
  }

  /** The value as it will rest. Throws when the schema refuses what the merges gave, or it is too long. */
  encoded(): string | null {
    this.#text ??= this.#value === undefined ? null : this.#key.encode(this.#value, this.#stored);
    return this.#text;
  }

  /** Whether the value is this one, encoded. After a merge it is encoded to be compared, and validated at the end alone. */
  #equals(text: string | null): boolean {
    if (this.#text !== undefined || text === null) return this.#text === text;
    try {
      this.#merged ??= encode(this.#value, this.#key.label);
    } catch (error) {
      if (!isSessionError(error)) throw error;
      return false; // no value of a session's; `encoded` says so, of whichever op has made it
    }
    return this.#merged === text;
  }

  #set(text: string | null | undefined, value: unknown, growth = 0): void {
    this.#text = text;
    this.#value = value;
    this.#merged = undefined;
    this.weight = text === undefined ? this.weight + growth : (text?.length ?? 0);
  }

  #merge(from: string | null, mine: string, theirs: unknown): unknown {
    const { name } = this.#key;
    const base = from === null ? null : this.#fitting(from);
    const started = base === null ? this.#key.fallback() : decode(base, name);
    const merged = mergeValues(this.#key, started, decode(mine, name), theirs);
    return merged === undefined ? decode(this.#key.encode(undefined), name) : merged;
  }

  /** Decoded; `undefined` where there is neither a value nor a default. */
  #current(): unknown {
    if (this.#value !== undefined || this.#text === undefined) return this.#value;
    if (this.#text === null) return this.#key.fallback();
    this.#value = decode(this.#text, this.#key.name);
    return this.#value;
  }

  #read(sent: string): string {
    return readValue(this.#key, sent, this.#stored, this.#room);
  }

  #fitting(text: string): string | null {
    if (this.#last?.sent === text) return this.#last.text;
    try {
      return this.#read(text);
    } catch (error) {
      if (!isSessionError(error)) throw error;
      return null;
    }
  }
}
