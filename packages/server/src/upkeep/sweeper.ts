import { randomUUID } from "node:crypto";
import { type Cancel, every, isSessionError } from "@catnap/shared";
import type { Settings } from "../settings.ts";
import { expiresAt, type SessionRecord } from "../stores/store.ts";
import type { AccessTimes } from "./access-times.ts";
import { isTombstone } from "./ending.ts";

/** Sessions that one step removes: small, so that sweeping never holds up requests for long. */
const stepSize = 200;

/**
 * Removes expired sessions from time to time, one process at a time where the store can say whose turn it is. Nobody
 * depends on it: expiry is enforced on every read and write.
 */
export class Sweeper {
  readonly #settings: Settings;
  readonly #accessTimes: AccessTimes;
  readonly #expiring: (record: SessionRecord) => Promise<void>;
  readonly #tick: () => void;
  #stop: Cancel | null = null;
  #stopped = false;
  #holder: string | undefined;
  #sweeping: Promise<number> | null = null;

  /** `begin` is told of each sweep by the clock, and gives what its end is told to. */
  constructor(
    settings: Settings,
    accessTimes: AccessTimes,
    expiring: (record: SessionRecord) => Promise<void>,
    begin: () => () => void,
  ) {
    this.#settings = settings;
    this.#accessTimes = accessTimes;
    this.#expiring = expiring;
    const { report } = settings;
    this.#tick = () => {
      const end = begin();
      void this.#inTurn()
        .catch((error: unknown) => report({ kind: "background", error }))
        .finally(end);
    };
    try {
      this.begin();
    } catch {
      // A Worker of Cloudflare's forbids timers while its module is loaded: the first request begins.
    }
  }

  /** Sweeps by the clock from here on, if it has not begun, and is meant to. */
  begin(): void {
    const { sweepIntervalMs } = this.#settings;
    if (sweepIntervalMs > 0 && !this.#stopped) this.#stop ??= every(sweepIntervalMs, this.#tick);
  }

  /** Sweeps no more by the clock; one that is under way ends after its step. */
  stop(): void {
    this.#stop?.();
    this.#stopped = true;
  }

  /** Sweeps, unless another process has the turn, which it keeps until it misses one. */
  async #inTurn(): Promise<void> {
    const { store, sweepIntervalMs } = this.#settings;
    // Not in the constructor: a Worker forbids randomness while its module is loaded, too.
    this.#holder ??= randomUUID();
    const mine = (await store.lease?.("sweep", this.#holder, sweepIntervalMs * 1.5)) ?? true;
    if (mine) await this.sweep();
  }

  /** Sweeps until nothing is left, whosever turn it is; a sweep under way is joined, not doubled. */
  sweep(): Promise<number> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = null;
    });
    return this.#sweeping;
  }

  async #sweep(): Promise<number> {
    // What this process knows of a session's last use may be all that keeps it alive.
    await this.#accessTimes.flush();
    return this.#settings.tellsExpiry ? this.#sweepOneByOne() : this.#sweepInBulk();
  }

  async #sweepInBulk(): Promise<number> {
    const { store, clock } = this.#settings;
    let total = 0;
    for (;;) {
      const removed = await store.sweep(clock(), stepSize);
      total += removed;
      if (removed < stepSize || this.#stopped) return total;
    }
  }

  /**
   * Where somebody listens to `expiring`, each session is read and told before it goes. Other processes may be at it too:
   * each takes a page's sessions in an order of its own and looks once more before it tells, so that few are told twice,
   * and none is left out because the process that had claimed it died.
   */
  async #sweepOneByOne(): Promise<number> {
    const { store, clock, report, tokens } = this.#settings;
    const now = clock();
    let total = 0;
    let cursor: string | undefined;
    do {
      const page = await store.find({ expiredAt: now, limit: stepSize, ...(cursor === undefined ? {} : { cursor }) });
      for (const { identifier } of shuffled(page.items)) {
        // Another app's, which tells its own hook of it.
        if (!tokens.owns(identifier)) continue;
        try {
          const record = await store.read(identifier);
          // Gone meanwhile, or its last use became known only now.
          if (!record || expiresAt(record) > now) continue;
          if (!isTombstone(record)) await this.#expiring(record);
        } catch (error) {
          // Of a store that is away nothing can be swept. A session that cannot be read goes untold, and whatever the app's
          // hook throws, so that one does not hold up the others.
          if (isSessionError(error, "STORE_UNAVAILABLE")) throw error;
          report({ kind: "background", error });
        }
        if (await store.delete(identifier, now)) total++;
      }
      cursor = page.cursor;
    } while (cursor !== undefined && !this.#stopped);
    return total;
  }
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
