import {
  type AnyDefinition,
  BaseSession,
  decode,
  development,
  freezeInDevelopment,
  type Key,
  type NameOf,
  type Session,
  SessionError,
  type SessionSnapshot,
  type ValueOf,
} from "@catnap/shared";
import type { Conflict, Expired } from "./replica/events.ts";
import { type Listeners, listen } from "./replica/listeners.ts";
import { statusName } from "./replica/memory.ts";
import type { Replica } from "./replica/replica.ts";
import type { Tab } from "./tab.ts";
import type { Status } from "./tab-parts.ts";

/** Written out where it is asked for: bundlers replace it in the text. */
declare const process: { env: { NODE_ENV?: string } };

/** The methods that the server's session alone has. */
const serverOnly = [
  "setTimeout",
  "setPersistent",
  "rotate",
  "login",
  "subject",
  "authenticatedAt",
  "previous",
  "sessionEncode",
] satisfies (keyof Session)[];

/** A session held by a browser tab: reads are synchronous, writes optimistic, and what is dirty goes home at sleep. Made by `createSessionClient`. */
export class ClientSession<D extends AnyDefinition = AnyDefinition> extends BaseSession<D, "browser"> {
  readonly #tab: Tab;
  readonly #replica: Replica;
  readonly #fallbacks = new Map<string, unknown>();
  /** What the page was rendered with, by the first snapshot. */
  #initial: Map<string, unknown> | undefined;
  /**
   * The session that renders the given state: in a page this one, which takes it in. On a server, where requests share a session
   * that stands in a module, one of the request's own, made as this one was.
   */
  readonly showing: (snapshot: SessionSnapshot) => ClientSession<D>;

  readonly #conflicts: Listeners<Conflict<D>>;
  readonly #ends: Listeners<Expired>;

  constructor(
    tab: Tab,
    replica: Replica,
    showing: (snapshot: SessionSnapshot) => ClientSession<D>,
    conflicts: Listeners<Conflict<D>>,
    ends: Listeners<Expired>,
  ) {
    super(tab);
    this.#tab = tab;
    this.#replica = replica;
    this.showing = showing;
    this.#conflicts = conflicts;
    this.#ends = ends;
  }

  /**
   * Calls `listener` after the value changed, whoever changed it; `null` stands for any value. At most once for each
   * write of this tab, and once for all that an answer or a sibling tab brings: that is `news`, which a page may show when it
   * has the time. Gives the function that ends it.
   */
  subscribe(name: NameOf<D, "browser"> | null, listener: (() => void) | ((news: boolean) => void)): () => void {
    return this.#replica.memory.subscribe(name && this.#resting(name), listener);
  }

  /** What the session is doing and whether changes wait; the same object until something differs. */
  status(): Status {
    return this.#tab.status();
  }

  /** Calls `listener` after the status changed. Gives the function that ends it. */
  subscribeStatus(listener: (() => void) | ((news: boolean) => void)): () => void {
    return this.#replica.memory.subscribe(statusName, listener);
  }

  /**
   * Calls `listener` when a change of this browser was not simply applied: once in a browser, by the tab that hears of it
   * first; tabs take turns, so that it may be some milliseconds after `sleep` has resolved. Gives the function that ends it.
   * Where nobody listens, a change that is lost or rejected is a line on the console.
   */
  onConflict(listener: (conflict: Conflict<D>) => void): () => void {
    return listen(this.#conflicts, listener);
  }

  /**
   * Calls `listener` in each tab when the server has ended the session, with the changes that were never sent. Gives the
   * function that ends it. Where nobody listens, such changes are a line on the console.
   */
  onExpired(listener: (event: Expired) => void): () => void {
    return listen(this.#ends, listener);
  }

  /**
   * Takes the state that the server rendered into the page, or has answered a server action or a navigation with. An older one
   * than the tab has is ignored. One of another session than the tab has does not show, since the page that bears it may be an
   * old one: a session that is awake asks the server which one the browser has now. On a server, where requests share a session that stands in a module, it would show one visitor's state to the next: `showing` is for there.
   */
  hydrate(snapshot: SessionSnapshot): void {
    this.#tab.hydrate(snapshot);
    if (this.#initial) return;
    const { memory } = this.#replica;
    // Also of a session that this browser has ended: a page that was rendered before the logout arrived has its values in it.
    this.#initial = new Map();
    for (const [name, { value }] of Object.entries(snapshot.entries)) {
      const key = memory.key(name);
      const shown = key && memory.shown(key, value);
      if (key && shown != null) this.#initial.set(key.label, freezeInDevelopment(decode(shown, name)));
    }
  }

  /** The value or its default, `undefined` when it has neither; the same object until it changes. For bindings of view libraries. */
  peek<K extends NameOf<D, "browser">>(name: K): ValueOf<D, K> | undefined {
    const key = this.#key(name);
    return this.#orDefault(name, key && this.#replica.memory.read(key));
  }

  /** What the server rendered for the key, whatever happened since: what hydration must show. */
  initial<K extends NameOf<D, "browser">>(name: K): ValueOf<D, K> | undefined {
    return this.#orDefault(name, this.#initial?.get(name));
  }

  /** The name under which a key rests. */
  #resting(name: string): string {
    return this.#replica.definition.renamed.get(name) ?? name;
  }

  #key(name: string): Key | undefined {
    return this.#replica.memory.key(this.#resting(name));
  }

  /** The default is the same object each time: a view library compares by identity. */
  #orDefault<K extends NameOf<D, "browser">>(name: K, value: unknown): ValueOf<D, K> | undefined {
    if (value === undefined) {
      if (!this.#fallbacks.has(name)) {
        this.#fallbacks.set(name, freezeInDevelopment(this.#key(name)?.fallback()));
      }
      value = this.#fallbacks.get(name);
    }
    // Values and defaults are of the type that the key's schema puts out.
    return value as ValueOf<D, K> | undefined;
  }

  /**
   * Runs a call that reaches the server by another way than `sessionLink`, such as a server action: what is dirty goes home
   * before it, and after it, whatever it came to, the session awakes to what it has changed. Gives what `call` gives; where
   * the changes cannot go home, it rejects as `sleep` does, and `call` is not made.
   */
  async around<T>(call: () => T | Promise<T>): Promise<T> {
    await this.sleep();
    try {
      return await call();
    } finally {
      await this.awake();
    }
  }

  /**
   * Ends timers, listeners, the channel and the connection. What is unsent stays on disk for the next page. An `awake`, or a
   * write, opens the session again.
   */
  close(): void {
    this.#tab.close();
  }
}

// Who calls these without types is told, too, in development.
if (development && process.env.NODE_ENV !== "production") {
  for (const name of serverOnly) {
    Object.defineProperty(ClientSession.prototype, name, {
      value: () => {
        throw new SessionError("SERVER_ONLY", `${name} is the server's alone: call a procedure of the server instead`);
      },
    });
  }
}
