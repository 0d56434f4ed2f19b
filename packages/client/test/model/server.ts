import { createSessions, type SessionRecord, type SessionStore, type StoreKey } from "@catnap/server";
import type { ChangesEvent, ChangesInput } from "@catnap/shared";
import { initTRPC } from "@trpc/server";
import { committed } from "../../../server/src/stores/entries.ts";
import { memoryStore } from "../../../server/src/stores/memory/memory-store.ts";
import { definition, definitions, type Version } from "./device.ts";

type Process = ReturnType<typeof createProcess>;

/** The real server: one process after another, over a store that outlives them and can be sent back in time. */
export class SimulatedServer {
  readonly store: RewindableStore = new RewindableStore();
  readonly #clock: () => number;
  /** Of new processes. */
  version: Version = "newer";
  #process: Process;
  /** While a deploy rolls, a process of the version before: requests reach the two in turns. */
  #former: Process | undefined;
  #turn = 0;

  constructor(clock: () => number) {
    this.#clock = clock;
    this.#process = createProcess(this.store, clock, this.version);
  }

  get sessions(): Process["sessions"] {
    return this.#process.sessions;
  }

  get call(): Process["call"] {
    return (this.#former && this.#turn++ % 2 > 0 ? this.#former : this.#process).call;
  }

  /** Whether requests meet two versions. */
  get rolls(): boolean {
    return this.#former !== undefined;
  }

  get follow(): Process["follow"] {
    return this.#process.follow;
  }

  /** The process dies when it has called its store so many times more. Gives what came to nothing, as far as one knows by now. */
  condemn(calls: number): Life {
    this.#former = undefined;
    const { life } = this.#process;
    life.callsLeft = calls;
    life.written = 0;
    return life;
  }

  /** Another process begins. What the one before had in memory is gone, and what it was doing is never done. */
  replace(): void {
    this.condemn(0);
    this.#process = createProcess(this.store, this.#clock, this.version);
  }

  /** A process of this version takes the place of the one at hand, at once, or while it still answers every other request. */
  async deploy(version: Version, rolling: boolean): Promise<void> {
    this.version = version;
    const before = this.#process;
    if (!rolling) return this.close();
    before.sessions.endStreams();
    this.#process = createProcess(this.store, this.#clock, version);
    this.#former = before;
  }

  /** The process ends its streams, writes what waits and gives way, as for a deploy. */
  async close(): Promise<void> {
    this.sessions.endStreams();
    await this.sessions.close();
    this.replace();
  }

  async identifiers(): Promise<string[]> {
    return (await this.store.find({ limit: 1000 })).items.map(({ identifier }) => identifier);
  }

  /** What the store holds of a session, decoded; `null`: nothing. */
  async stored(identifier: string): Promise<Record<string, unknown> | null> {
    const record = await this.store.read(identifier);
    if (!record) return null;
    const entries = [...record.entries].filter(([name, entry]) => definition.keys.has(name) && entry.value !== null);
    return Object.fromEntries(entries.map(([name, entry]) => [name, JSON.parse(entry.value ?? "null")]));
  }
}

/** How long a process lives, counted in calls of its store. */
interface Life {
  callsLeft: number;
  /** What it wrote since it was condemned. */
  written: number;
  /** Names of the calls that it was too late for. */
  readonly missed: Set<string>;
}

const options = { sweepInterval: 0, report: () => undefined };

/** Made once, since that takes a tenth of a schedule's time: what a process knows is in its `sessions`, not in the routes. */
const createCaller = (() => {
  const sessions = createSessions({ ...options, definition, store: memoryStore() });
  const t = initTRPC.context<{ session: ReturnType<typeof sessions.wake> }>().create();
  const procedure = t.procedure.use(sessions.middleware);
  const router = t.router({
    session: sessions.router({ procedure }),
    rotate: procedure.mutation(({ ctx }) => ctx.session.rotate()),
    login: procedure.mutation(({ ctx }) => ctx.session.login("ann")),
    logout: procedure.mutation(({ ctx }) => ctx.session.invalidate()),
  });
  return t.createCallerFactory(router);
})();

function createProcess(store: SessionStore, clock: () => number, version: Version) {
  const life: Life = { callsLeft: Number.POSITIVE_INFINITY, written: 0, missed: new Set() };
  const sessions = createSessions({ ...options, definition: definitions[version], store: within(life, store), clock });
  return {
    life,
    sessions,
    /** One request with this cookie: what came of it, and the cookies that it sets. Never resolves if the process dies meanwhile. */
    async call(cookie: string, run: (caller: ReturnType<typeof createCaller>) => Promise<unknown>) {
      const headers = new Headers(cookie === "" ? {} : { cookie });
      const resHeaders = new Headers();
      const session = sessions.wake({ req: { headers, url: "https://shop.test/trpc" }, resHeaders });
      try {
        const result = await run(createCaller({ session }));
        return { cookies: resHeaders.getSetCookie(), result };
      } catch (error) {
        return { cookies: resHeaders.getSetCookie(), error };
      }
    },
    /** A live stream with this cookie, until it ends or the signal ends it. */
    async follow(cookie: string, input: ChangesInput, signal: AbortSignal, tell: (event: ChangesEvent) => void) {
      // No way for cookies: the device would not take in what a stream sets, and nothing is renewed where none can be set.
      const session = sessions.wake({ headers: new Headers(cookie === "" ? {} : { cookie }) });
      for await (const event of await createCaller({ session }, { signal }).session.changes(input)) {
        // Who calls in process gets the envelope as it leaves the procedure, not as a client unpacks it: id and data in turn.
        const [, data] = event as unknown as readonly [id: string, data: ChangesEvent];
        tell(data);
      }
    },
  };
}

/** The store as one process reaches it; it is not that process's to close. */
function within(life: Life, store: RewindableStore | SessionStore): SessionStore {
  /** What the process remembers of sessions, as stores do that are far away. */
  const known = new Map<StoreKey, SessionRecord>();
  const remember = (key: StoreKey, record: SessionRecord | null) => {
    if (record) known.set(key, record);
    else known.delete(key);
    return record;
  };
  const call = <T>(name: string, run: () => Promise<T>): Promise<T> => {
    if (life.callsLeft-- > 0) {
      if (name === "write") life.written++;
      return run();
    }
    life.missed.add(name);
    return new Promise(() => undefined);
  };
  return {
    read: (key) => call("read", async () => remember(key, await store.read(key))),
    recall: (key) => known.get(key),
    write: (key, commit) =>
      call("write", async () => {
        const result = await store.write(key, commit);
        const before = known.get(key);
        const lasts = result.ok && before?.rev === result.rev - 1;
        remember(key, lasts ? { ...committed(key, before, commit, result.rev) } : null);
        return result;
      }),
    touch: (touches) => call("touch", () => store.touch(touches)),
    delete: (key, at) => call("delete", () => store.delete(key, at)),
    find: (query) => call("find", () => store.find(query)),
    sweep: (now, limit) => call("sweep", () => store.sweep(now, limit)),
    watch: (key, listener) => watchOf(store)(key, listener),
    close: async () => undefined,
  };
}

/** The memory store, with a past to go back to: a restored backup is the same steps, fewer of them. */
class RewindableStore implements SessionStore {
  #store = memoryStore();
  #turn: Promise<unknown> = Promise.resolve();
  #steps: ((store: SessionStore) => Promise<unknown>)[] = [];

  get taken(): number {
    return this.#steps.length;
  }

  async rewind(taken: number): Promise<void> {
    this.#steps = this.#steps.slice(0, taken);
    this.#store = memoryStore();
    for (const step of this.#steps) await step(this.#store);
  }

  readonly read: SessionStore["read"] = (key) => this.#store.read(key);
  readonly watch: NonNullable<SessionStore["watch"]> = (key, listener) => watchOf(this.#store)(key, listener);
  readonly find: SessionStore["find"] = (query) => this.#store.find(query);
  readonly write: SessionStore["write"] = (key, { on, ...commit }) =>
    this.#do(async (store) => {
      const record = on ? await store.read(key) : null;
      if (on && record?.rev !== on.rev) return { ok: false, record };
      return store.write(key, commit);
    });
  readonly touch: SessionStore["touch"] = (touches) => this.#do((store) => store.touch(touches));
  readonly delete: SessionStore["delete"] = (key, at) => this.#do((store) => store.delete(key, at));
  readonly sweep: SessionStore["sweep"] = (now, limit) => this.#do((store) => store.sweep(now, limit));
  readonly close: SessionStore["close"] = () => this.#store.close();

  #do<T>(step: (store: SessionStore) => Promise<T>): Promise<T> {
    this.#steps.push(step);
    const mine = this.#turn.then(() => step(this.#store));
    this.#turn = mine.catch(() => undefined);
    return mine;
  }
}

function watchOf({ watch }: SessionStore): NonNullable<SessionStore["watch"]> {
  if (!watch) throw new Error("The memory store watches");
  return watch;
}
