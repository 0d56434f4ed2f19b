import type { AnyDefinition, SessionSnapshot } from "@catnap/shared";
import type { Page } from "./page.ts";
import type { Conflict, Expired } from "./replica/events.ts";
import type { JournalStorage } from "./storage/journal.ts";
import type { HttpOptions } from "./sync/http-options.ts";
import type { Channel } from "./sync/siblings.ts";

/** What a client uses of its browser. Each is replaceable, for tests and for browsers that lack it. */
export interface Surroundings {
  readonly now: () => number;
  /** From 0 to 1, for the jitter of retries. */
  readonly random: () => number;
  /** So many random bytes as base64url. */
  readonly id: (bytes: number) => string;
  readonly indexedDB?: IDBFactory | undefined;
  readonly localStorage?: JournalStorage;
  readonly channel?: ((name: string) => Channel | undefined) | undefined;
  /** Lets one tab of a browser hold the live stream; without it each visible one does. */
  readonly locks?: Pick<LockManager, "request"> | undefined;
  /** `undefined`: the session awakes and sleeps only when told. */
  readonly page?: Page | undefined;
}

/** Options of `createSessionClient`. */
export interface SessionClientOptions<D extends AnyDefinition> {
  readonly definition: D;
  /** How the app's tRPC is reached: the object that the app's own `httpLink` or `httpBatchLink` gets. */
  readonly http: HttpOptions;
  /** The path of the session's router in the app's; default `session`. */
  readonly path?: string;
  /**
   * Shows what other devices and the server write as it happens; default false: on focus. Costs one open connection for each
   * browser with a visible page.
   */
  readonly live?: boolean;
  /** Seconds without a write after which the session sleeps by itself; default 1. */
  readonly idle?: number;
  /** Seconds after which the session sleeps at the latest, though writing goes on; default 5. */
  readonly maxWait?: number;
  /**
   * Seconds for which changes wait of keys that the server does not know, since it runs another version of the app; default
   * 86,400. Then `onConflict` hears of them as `rejected`.
   */
  readonly unknownFor?: number;
  /** Names the database, the channel and the locks; default the definition's name. Two apps on one origin need two names. */
  readonly name?: string;
  /** The state that the server rendered into the page. */
  readonly initialSnapshot?: SessionSnapshot;
  /**
   * As `session.onConflict`. Called when a change of this browser was not simply applied: once in a browser, by the tab that
   * hears of it first.
   */
  readonly onConflict?: (conflict: Conflict<D>) => void;
  /** As `session.onExpired`. Called in each tab when the server has ended the session, with the changes that were never sent. */
  readonly onExpired?: (event: Expired) => void;
  /** Parts of the browser to replace, for tests. */
  readonly surroundings?: Partial<Surroundings>;
}
