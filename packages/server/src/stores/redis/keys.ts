import type { StoreKey } from "../store.ts";

/**
 * Where things lie. All that a commit touches is in one slot of a cluster: the session, and its places in the indexes of
 * expiry and of subjects. Slots are therefore given to shards, ranges of identifiers, and each shard has its own part of
 * every index. Identifiers are random, so shards are alike; they are ranges, so that walking through the shards walks
 * through the identifiers in their order. A shard's index of expiry is cut into cells, so that a page of a walk is read
 * out of a few hundred sessions although there are a million.
 *
 * The shards' names are what a cluster hashes. These lie evenly over its slots, in the middle of every 64th part, so that
 * masters which share the slots evenly share the sessions evenly too. Few shards make looking through all of them cheap.
 */
const shards = (
  "14 6q 6h 9a 29 21 5e 4s c2 90 1e df f n w 43 7f 6p 7w bt 4k 20 6 4r 1u 60 1d 1l 2x 2p 2i 2a " +
  "7a 7i 6n 7x 4l 4d 1 9 1r 1z 1c 1k 52 2w 2n 2f 13 6v 6o 6g 4m 26 5b 8 c5 66 71 79 a i p x"
).split(" ");
export const shardCount: number = shards.length;
const cellsPerShard = 64;

const alphabet = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/** Where a character stands among those of identifiers. */
function rank(code: number): number {
  if (Number.isNaN(code)) return 0;
  let low = 0;
  while (low < alphabet.length - 1 && alphabet.charCodeAt(low) < code) low++;
  return low;
}

const ranks = Array.from({ length: 128 }, (_, code) => rank(code));

/** Rises with the identifiers. */
export function cellOf(identifier: StoreKey): number {
  const [first, second] = [identifier.charCodeAt(0), identifier.charCodeAt(1)];
  return (ranks[first] ?? rank(first)) * 64 + (ranks[second] ?? rank(second));
}

export function shardOf(identifier: StoreKey): number {
  return Math.floor(cellOf(identifier) / cellsPerShard);
}

/** The identifier of the session whose key this is; `undefined` for other keys. */
export function identifierIn(key: string): StoreKey | undefined {
  // A prefix has no braces: the first that closes is that of the shard.
  const rest = key.slice(key.indexOf("}") + 1);
  return rest.startsWith("s:") ? rest.slice(2) : undefined;
}

/** The names of keys, all behind one prefix. */
export class RedisKeys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  #in(shard: number, rest: string): string {
    return `${this.#prefix}{${shards[shard]}}${rest}`;
  }

  /** Who holds a task of the background. */
  lease(task: string): string {
    return this.#in(0, `l:${task}`);
  }

  session(identifier: StoreKey): string {
    return this.#in(shardOf(identifier), `s:${identifier}`);
  }

  /** A shard's list of the cells that hold sessions. */
  cells(shard: number): string {
    return this.#in(shard, "c");
  }

  /** A part of the index of expiry. */
  cell(shard: number, cell: number | string): string {
    return this.#in(shard, `d:${cell}`);
  }

  /** What a script that changes a session takes: the session, and its place in the index of expiry. */
  of(identifier: StoreKey): [session: string, cells: string, cell: string] {
    const shard = shardOf(identifier);
    return [this.session(identifier), this.cells(shard), this.cell(shard, cellOf(identifier))];
  }

  /** The nonces of a shard's latest commits, of clients that may send one again. */
  nonces(shard: number): string {
    return this.#in(shard, "n");
  }

  /** The sessions of one subject in one shard. */
  subject(shard: number, subject: string): string {
    return this.#in(shard, `u:${subject}`);
  }
}
