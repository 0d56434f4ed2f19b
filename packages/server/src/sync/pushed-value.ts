import { encode, isSessionError, type Key, mergeValues, type Op } from "@catnap/shared";
import { untangle } from "./untangle.ts";

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
  /** Encoded; `null`: absent; `undefined`: merged, and not encoded since. */
  #text: string | null | undefined;
  /** What the merges gave, encoded, once it was asked for. */
  #merged: string | undefined;
  /** Decoded, of the schema's type; `undefined`: absent, or not decoded yet. */
  #value: unknown;
  /** The last op's own value: in a chain of changes it is what the next one was made from. */
  #last: { readonly text: string; readonly value: unknown } | undefined;

  /** `room` is how long a value of the browser's may be. */
  constructor(key: Key, stored: string | null, room: number) {
    this.#key = key;
    this.#room = room;
    this.#text = stored;
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
      this.#set(this.#key.write(mine), mine);
      this.#last = { text: value, value: mine };
      return "taken";
    }
    const theirs = this.#current();
    // Nothing is there to merge with, or nothing that a merge should be shown: another version of the app stored it.
    if (theirs === undefined) this.#set(this.#key.write(mine), mine);
    else this.#set(undefined, this.#merge(from, mine, theirs), value.length);
    this.#last = { text: value, value: mine };
    return "merged";
  }

  /** The value as it will rest. Throws when the schema refuses what the merges gave, or it is too long. */
  encoded(): string | null {
    this.#text ??= this.#value === undefined ? null : this.#key.encode(this.#value);
    return this.#text;
  }

  /** Whether the value is this one, encoded. After a merge it is encoded to be compared, and validated at the end alone. */
  #equals(text: string | null): boolean {
    if (this.#text !== undefined || text === null) return this.#text === text;
    try {
      this.#merged ??= encode(this.#value, this.#key.name);
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

  #merge(from: string | null, mine: unknown, theirs: unknown): unknown {
    const base = (from === null ? undefined : this.#fitting(from)) ?? this.#key.fallback();
    const merged = mergeValues(this.#key, base, mine, theirs);
    return merged === undefined ? this.#key.validate(undefined) : merged;
  }

  #current(): unknown {
    if (this.#value === undefined && this.#text != null) this.#value = this.#fitting(this.#text);
    return this.#value === undefined && this.#text === null ? this.#key.fallback() : this.#value;
  }

  #read(text: string): unknown {
    return this.#key.validate(untangle(text, this.#key.name, this.#room));
  }

  #fitting(text: string): unknown {
    if (this.#last?.text === text) return this.#last.value;
    try {
      return this.#read(text);
    } catch (error) {
      if (!isSessionError(error)) throw error;
      return undefined;
    }
  }
}
