import { createSessions, type SessionStore } from "@catnap/server";
import type { ChangesEvent, ChangesInput, Push } from "@catnap/shared";
import { initTRPC } from "@trpc/server";
import { memoryStore } from "../../../server/src/stores/memory.ts";
import { type Channel, createSessionClient, type Expired, type SessionProcedures } from "../../src/index.ts";
import type { ChangesListener } from "../../src/post.ts";
import { type Device, definition, type Message, type Tab } from "./device.ts";
import { SimulatedDisk } from "./disk.ts";
import { SimulatedStream } from "./stream.ts";
import { SimulatedTime } from "./time.ts";

/**
 * The real client and the real server on a simulated machine: no real time, no real network, no real disk. Everything
 * that a tab causes waits in a queue until `settle` or the schedule lets it happen, so that a schedule is the same one
 * each time that it is played.
 */
export class World {
  readonly time: SimulatedTime = new SimulatedTime();
  readonly devices: Device[] = [];
  readonly messages: Message[] = [];
  readonly #ready: (() => void)[] = [];
  readonly #listeners = new Map<Channel, { readonly device: Device; hear(data: unknown): void }>();
  readonly #stores: RewindableStore = new RewindableStore();
  readonly #server = createServer(this.#stores, () => this.time.now);
  readonly #random: () => number;
  /** All that there ever were, of which some still run. */
  readonly #streams: SimulatedStream[] = [];
  #ids = 0;

  /** `random` is the tabs', for their retries; by default each waits for as long as it may. */
  constructor(random: () => number = () => 1) {
    this.#random = random;
  }

  get sessions(): ReturnType<typeof createServer>["sessions"] {
    return this.#server.sessions;
  }

  device(skew: number, live = false): Device {
    const disk = new SimulatedDisk((task) => this.#ready.push(task));
    const device: Device = { cookie: "", disk, marks: new Map(), tabs: [], skew, live };
    this.devices.push(device);
    return device;
  }

  tab(device: Device): Tab {
    const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
    const page = { window: new EventTarget(), document };
    const expired: Expired[] = [];
    const act: { tab?: Tab } = {};
    const whenThere = (task: () => void) => {
      const { tab } = act;
      if (!tab?.alive) return;
      if (tab.frozen) tab.held.push(task);
      else task();
    };
    const channel = () => this.#channel(device, whenThere);
    const session = createSessionClient({
      definition,
      trpc: this.#procedures(act),
      url: "/session",
      live: device.live,
      onExpired: (event) => expired.push(event),
      surroundings: {
        now: () => this.time.now + device.skew,
        random: this.#random,
        id: (bytes) => String(++this.#ids).padStart(Math.ceil((bytes * 4) / 3), "i"),
        fetch: this.#fetch(act),
        indexedDB: device.disk.factory(() => act.tab?.alive === true),
        localStorage: {
          getItem: (name) => device.marks.get(name) ?? null,
          setItem: (name, text) => void (act.tab?.alive && device.marks.set(name, text)),
        },
        channel,
        locks: undefined,
        page,
      },
    });
    const tab: Tab = { device, session, page, expired, alive: true, frozen: false, held: [] };
    act.tab = tab;
    device.tabs.push(tab);
    return tab;
  }

  /** The process of the tab ends: what it had not begun by now never happens. */
  kill(tab: Tab): void {
    tab.alive = false;
    tab.device.tabs.splice(tab.device.tabs.indexOf(tab), 1);
    // Whatever else closing does comes to nothing, since a dead tab's disk and network are cut.
    tab.session.close();
  }

  /** Lets everything happen that needs neither time nor network. */
  async settle(): Promise<void> {
    do {
      await new Promise((resolve) => setImmediate(resolve));
      for (let task = this.#ready.shift(); task; task = this.#ready.shift()) task();
      await new Promise((resolve) => setImmediate(resolve));
    } while (this.#ready.length > 0);
  }

  /** Lets so much time pass, timer by timer. */
  async pass(ms: number): Promise<void> {
    const end = this.time.now + ms;
    for (let next = this.time.next; next !== undefined && next <= end; next = this.time.next) {
      this.time.now = Math.max(this.time.now, next);
      this.time.fire();
      await this.settle();
    }
    this.time.now = end;
    await this.settle();
  }

  /** The request arrives; `again`: and will arrive once more. */
  async deliver(message: Message, again = false): Promise<void> {
    await message.handle();
    if (again) delete message.answer;
  }

  /** The answer arrives. */
  answer(message: Message): void {
    this.messages.splice(this.messages.indexOf(message), 1);
    const { tab, answer } = message;
    for (const cookie of answer?.cookies ?? []) tab.device.cookie = nameAndContent(cookie);
    this.#reach(tab, () => answer?.settle());
  }

  /** Request or answer is lost. */
  lose(message: Message): void {
    this.messages.splice(this.messages.indexOf(message), 1);
    this.#reach(message.tab, () => message.fail());
  }

  thaw(tab: Tab): void {
    tab.frozen = false;
    for (const task of tab.held.splice(0)) task();
  }

  /** Something that the server does for the owner of a cookie, such as a login; the device hears of its cookies unless they are `lost`. */
  async serve(device: Device, act: "rotate" | "login" | "logout", lost = false): Promise<void> {
    const { cookies } = await this.#server.call(device.cookie, (caller) => caller[act]());
    if (!lost) for (const cookie of cookies) device.cookie = nameAndContent(cookie);
  }

  /** How many steps the store has taken. */
  get taken(): number {
    return this.#stores.taken;
  }

  /** The store is as it was after so many steps. */
  async restore(taken: number): Promise<void> {
    for (const stream of this.#streams.splice(0)) stream.break();
    await this.#stores.rewind(taken);
  }

  async identifiers(): Promise<string[]> {
    return (await this.#stores.find({ limit: 1000 })).items.map(({ identifier }) => identifier);
  }

  /** What the store holds of a session, decoded; `null`: nothing. */
  async stored(identifier: string): Promise<Record<string, unknown> | null> {
    const record = await this.#stores.read(identifier);
    if (!record) return null;
    const entries = [...record.entries].filter(([name, entry]) => definition.keys.has(name) && entry.value !== null);
    return Object.fromEntries(entries.map(([name, entry]) => [name, JSON.parse(entry.value ?? "null")]));
  }

  #channel(device: Device, whenThere: (task: () => void) => void): Channel {
    const own: Channel = {
      onmessage: null,
      postMessage: (data) => {
        const copy = structuredClone(data);
        for (const [other, listener] of this.#listeners) {
          if (other !== own && listener.device === device) this.#ready.push(() => listener.hear(copy));
        }
      },
      close: () => void this.#listeners.delete(own),
    };
    const hear = (data: unknown) => whenThere(() => own.onmessage?.({ data } as MessageEvent));
    this.#listeners.set(own, { device, hear });
    return own;
  }

  #reach(tab: Tab, task: () => void): void {
    if (!tab.alive) return;
    if (tab.frozen) tab.held.push(task);
    else task();
  }

  #send<T>(act: { tab?: Tab }, path: "sync" | "invalidate", input: unknown): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const { tab } = act;
      if (!tab?.alive) return;
      const copy = structuredClone(input);
      const { cookie } = tab.device;
      const message: Message = {
        tab,
        cookie,
        first: (input as Partial<Push>).identifier === null,
        handle: async () => {
          const { cookies, result, error } = await this.#server.call(cookie, (caller) =>
            caller.session[path](copy as never),
          );
          const settle = () => (error === undefined ? resolve(result as T) : reject(error));
          message.answer = { cookies, settle };
        },
        fail: () => reject(new TypeError("Failed to fetch")),
      };
      this.messages.push(message);
    });
  }

  #procedures(act: { tab?: Tab }): SessionProcedures {
    return {
      sync: { mutate: (push: Push) => this.#send(act, "sync", push) },
      invalidate: { mutate: (input) => this.#send(act, "invalidate", input) },
      changes: { subscribe: (input, listener) => this.#subscribe(act, input, listener) },
    };
  }

  #subscribe({ tab }: { tab?: Tab }, input: ChangesInput, listener: ChangesListener): { unsubscribe(): void } {
    if (!tab?.alive) return { unsubscribe() {} };
    const { cookie } = tab.device;
    const stream = new SimulatedStream(tab, this.messages, listener, (left, tell) =>
      this.#server.follow(cookie, input, left, tell),
    );
    this.#streams.push(stream);
    return stream;
  }

  #fetch(act: { tab?: Tab }): typeof fetch {
    return (async (url: string, init: { body: string }) => {
      const data = await this.#send(act, url.split(".")[1] as "sync", JSON.parse(init.body));
      return { status: 200, text: async () => JSON.stringify({ result: { data } }) };
    }) as never;
  }
}

const nameAndContent = (cookie: string) => (/max-age=0/i.test(cookie) ? "" : (cookie.split(";")[0] ?? ""));

function createServer(store: SessionStore, clock: () => number) {
  const sessions = createSessions({
    definition,
    store,
    clock,
    sweepInterval: 0,
    touchInterval: 0,
    report: () => undefined,
  });
  const t = initTRPC.context<{ session: ReturnType<typeof sessions.wake> }>().create();
  const procedure = t.procedure.use(sessions.middleware);
  const router = t.router({
    session: sessions.router({ procedure }),
    rotate: procedure.mutation(({ ctx }) => ctx.session.rotate()),
    login: procedure.mutation(({ ctx }) => ctx.session.login("ann")),
    logout: procedure.mutation(({ ctx }) => ctx.session.invalidate()),
  });
  const createCaller = t.createCallerFactory(router);
  return {
    sessions,
    /** One request with this cookie: what came of it, and the cookies that it sets. */
    async call(cookie: string, run: (caller: ReturnType<typeof createCaller>) => Promise<unknown>) {
      const cookies: string[] = [];
      const headers = new Headers(cookie === "" ? {} : { cookie });
      const session = sessions.wake({ headers, setCookie: (one) => void cookies.push(one) });
      try {
        return { cookies, result: await run(createCaller({ session })) };
      } catch (error) {
        return { cookies, error };
      }
    },
    /** A live stream with this cookie, until it ends or the signal ends it. */
    async follow(cookie: string, input: ChangesInput, signal: AbortSignal, tell: (event: ChangesEvent) => void) {
      const session = sessions.wake({
        headers: new Headers(cookie === "" ? {} : { cookie }),
        setCookie: () => undefined,
      });
      for await (const event of await createCaller({ session }, { signal }).session.changes(input)) {
        // Who calls in process gets the envelope as it leaves the procedure, not as a client unpacks it: id and data in turn.
        const [, data] = event as unknown as readonly [id: string, data: ChangesEvent];
        tell(data);
      }
    },
  };
}

/** The memory store, with a past to go back to: a restored backup is the same steps, fewer of them. */
class RewindableStore implements SessionStore {
  #store = memoryStore();
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
  readonly watch: NonNullable<SessionStore["watch"]> = (key, listener) => {
    const { watch } = this.#store;
    if (!watch) throw new Error("The memory store watches");
    return watch(key, listener);
  };
  readonly find: SessionStore["find"] = (query) => this.#store.find(query);
  readonly write: SessionStore["write"] = (key, commit) => this.#do((store) => store.write(key, commit));
  readonly touch: SessionStore["touch"] = (touches) => this.#do((store) => store.touch(touches));
  readonly delete: SessionStore["delete"] = (key, at) => this.#do((store) => store.delete(key, at));
  readonly sweep: SessionStore["sweep"] = (now, limit) => this.#do((store) => store.sweep(now, limit));
  readonly close: SessionStore["close"] = () => this.#store.close();

  #do<T>(step: (store: SessionStore) => Promise<T>): Promise<T> {
    this.#steps.push(step);
    return step(this.#store);
  }
}
