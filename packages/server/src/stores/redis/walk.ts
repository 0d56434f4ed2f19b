import type { Page, Query, SessionInfo, StoreKey } from "../store.ts";
import { expiresAt } from "../store.ts";
import type { RedisCalls } from "./calls.ts";
import { fieldOf } from "./commit.ts";
import { parseMeta, toValues } from "./hash.ts";
import { dueScript, healScript, listScript, siftScript } from "./index-scripts.ts";
import { cellOf, type RedisKeys, shardCount, shardOf } from "./keys.ts";
import type { RedisNotices } from "./notices.ts";
import { listOf, numberOf, textsOf } from "./replies.ts";

/** How many shards a walk asks at once, at the most. */
const widest = 32;

/** How many shards a sweep asks at once: few, so that processes which sweep at the same time are mostly elsewhere. */
const sweeping = 8;

/** How many places a sweep asks a shard for at the least: that many cost no more than one. */
const fewest = 16;

/** How many places of sessions that are gone a sweep clears at the most, for each session that it may remove. */
const clearedEach = 100;

/**
 * Walks through the indexes, to find sessions and those that have expired. A session that cannot be read is left out, with a
 * line on the console: it must not keep anybody from ending the others.
 */
export class RedisWalk {
  readonly #calls: RedisCalls;
  readonly #keys: RedisKeys;
  readonly #notices: RedisNotices;

  constructor(calls: RedisCalls, keys: RedisKeys, notices: RedisNotices) {
    this.#calls = calls;
    this.#keys = keys;
    this.#notices = notices;
  }

  async find(query: Query): Promise<Page<SessionInfo>> {
    const items: SessionInfo[] = [];
    let cursor = query.cursor ?? "";
    let width = 4;
    walk: for (let shard = shardOf(cursor); shard < shardCount && items.length <= query.limit; ) {
      const wave = Array.from({ length: Math.min(width, shardCount - shard) }, (_, i) => shard + i);
      const lists = await Promise.all(wave.map((one) => this.#candidates(one, cursor, query)));
      for (const { ids, complete } of lists) {
        const some = ids.slice(0, query.limit + 1 - items.length);
        const infos = await Promise.all(some.map((id) => this.#notices.passing(this.#wanted(id, query), null)));
        items.push(...infos.filter((found) => found !== null));
        cursor = some.at(-1) ?? cursor;
        if (some.length < ids.length || !complete) continue walk;
        shard++;
      }
      width = Math.min(width * 2, widest);
    }
    const last = items[query.limit - 1];
    return items.length > query.limit && last !== undefined
      ? { items: items.slice(0, query.limit), cursor: last.identifier }
      : { items };
  }

  /**
   * Removes sessions that have expired by then, with `erase`, and says how many. Each step asks for hardly more than may
   * still go. Places of sessions that the server has forgotten are cleared on the way, not counted, but not without end either.
   */
  async sweep(now: number, limit: number, erase: (key: StoreKey) => Promise<boolean>): Promise<number> {
    const start = Math.floor(Math.random() * shardCount);
    const shards = Array.from({ length: shardCount }, (_, i) => (start + i) % shardCount);
    let removed = 0;
    let seen = 0;
    while (shards.length > 0 && removed < limit && seen < limit * clearedEach) {
      const wave = shards.splice(0, sweeping);
      const each = Math.max(fewest, Math.ceil((limit - removed) / wave.length));
      const due = await Promise.all(wave.map((shard) => this.#overdue(shard, now, each)));
      // One that had as many as were asked for may have more.
      shards.push(...wave.filter((_, i) => due[i]?.found === each));
      seen += due.reduce((sum, { found }) => sum + found, 0);
      const ids = due.flatMap(({ there }) => there).slice(0, limit - removed);
      const gone = await Promise.all(ids.map((id) => this.#notices.passing(erase(id), false)));
      removed += gone.filter(Boolean).length;
    }
    return removed;
  }

  /** What a page tells of a session; `null` where there is none. */
  async #info(identifier: StoreKey, names: readonly string[]): Promise<SessionInfo | null> {
    const session = this.#keys.session(identifier);
    const reply = listOf(await this.#calls.command(session, "HMGET", "m", "u", ...names.map(fieldOf)), identifier);
    const [m, u, ...values] = reply;
    if (m === null || m === undefined) return null;
    const { endsAt, timeoutMs, rev: _, ...rest } = parseMeta(identifier, m, u).meta;
    const info = { identifier, ...rest, expiresAt: expiresAt({ endsAt, timeoutMs, accessedAt: rest.accessedAt }) };
    return names.length === 0 ? info : { ...info, entries: toValues(identifier, names, values) };
  }

  /** A shard's cells that may hold sessions which expire by then, from a cell on, in the order of their identifiers. */
  async #cellsOf(shard: number, latest: string, from: number): Promise<string[]> {
    const cells = textsOf(await this.#calls.command(this.#keys.cells(shard), "ZRANGEBYSCORE", "-inf", latest));
    const numbers = cells.map(Number).filter((cell) => cell >= from);
    return numbers.sort((a, b) => a - b).map((cell) => this.#keys.cell(shard, cell));
  }

  /** Sessions of a shard that come after the cursor, in order; not `complete`: there may be more. */
  async #candidates(shard: number, cursor: StoreKey, { subject, expiredAt, limit }: Query) {
    // An identifier that does not belong here, which somebody else has written, would lead to another slot.
    const after = (ids: string[]) => ids.filter((id) => id > cursor && shardOf(id) === shard).sort();
    if (subject !== undefined) {
      const index = this.#keys.subject(shard, subject);
      return { ids: after(textsOf(await this.#calls.command(index, "ZRANGE", "0", "-1"))), complete: true };
    }
    const latest = expiredAt === undefined ? "+inf" : String(expiredAt);
    let cells = await this.#cellsOf(shard, latest, cellOf(cursor));
    let known = cursor !== "" && cells[0] === this.#keys.cell(shard, cellOf(cursor)) ? "1" : "0";
    for (;;) {
      const [first, ...others] = cells;
      if (first === undefined) return { ids: [], complete: true };
      const found = listOf(
        await this.#calls.evaluate(listScript, [first, ...others], [latest, String(limit + 1), known]),
      );
      // Not before the cells that were looked through, whatever was in them: so this ends.
      cells = cells.slice(Math.max(1, numberOf(found[0])));
      known = "0";
      const ids = after(textsOf(found.slice(1)));
      if (ids.length > 0 || cells.length === 0) return { ids, complete: cells.length === 0 };
    }
  }

  /** How many places of a shard say that their sessions may have expired by then, at most so many, and the sessions that are there. */
  async #overdue(shard: number, now: number, limit: number): Promise<{ found: number; there: string[] }> {
    const keys = this.#keys;
    const cells = await this.#cellsOf(shard, String(now), 0);
    if (cells.length === 0) return { found: 0, there: [] };
    const names = [keys.cells(shard), ...cells] as const;
    const due = textsOf(await this.#calls.evaluate(dueScript, names, [String(now), String(limit)]));
    const ids = due.filter((id) => shardOf(id) === shard);
    if (ids.length === 0) return { found: due.length, there: [] };
    const places = ids.flatMap((id) => [keys.cell(shard, cellOf(id)), keys.session(id)]);
    const there = textsOf(await this.#calls.evaluate(siftScript, [keys.cells(shard), ...places], ids));
    return { found: due.length, there };
  }

  /** What of a session is asked for; heals the subject's index of those that do not belong there any more. */
  async #wanted(identifier: StoreKey, { subject, expiredAt, entries = [] }: Query): Promise<SessionInfo | null> {
    const found = await this.#info(identifier, entries);
    if (subject !== undefined && found?.subject !== subject) {
      const names = [this.#keys.session(identifier), this.#keys.subject(shardOf(identifier), subject)] as const;
      await this.#calls.evaluate(healScript, names, [identifier, `=${subject}`]);
      return null;
    }
    return found !== null && (expiredAt === undefined || found.expiresAt <= expiredAt) ? found : null;
  }
}
