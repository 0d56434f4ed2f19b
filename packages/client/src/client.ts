import { type AnyDefinition, development, type SessionSnapshot } from "@catnap/shared";
import { checkOptions } from "./client-checks.ts";
import { type Page, watchPage } from "./page.ts";
import { type Conflict, type Expired, tell } from "./replica/events.ts";
import type { Listeners } from "./replica/listeners.ts";
import { Replica } from "./replica/replica.ts";
import { ClientSession } from "./session.ts";
import { Database } from "./storage/database.ts";
import { Epochs } from "./storage/epochs.ts";
import { Journal, type JournalStorage } from "./storage/journal.ts";
import { Table } from "./storage/table.ts";
import type { HttpOptions } from "./sync/http-options.ts";
import type { Channel } from "./sync/siblings.ts";
import { Transport } from "./sync/transport.ts";
import { Tab } from "./tab.ts";

/** Written out where it is asked for: bundlers replace it in the text. */
declare const process: { env: { NODE_ENV?: string } };

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
  /** As `session.onExpired`. Called when the session ended while changes were unsent. */
  readonly onExpired?: (event: Expired) => void;
  /** Parts of the browser to replace, for tests. */
  readonly surroundings?: Partial<Surroundings>;
}

/** Each of them: the compiler misses none. */
const optionNames: Record<keyof SessionClientOptions<AnyDefinition>, true> = {
  definition: true,
  http: true,
  path: true,
  live: true,
  idle: true,
  maxWait: true,
  unknownFor: true,
  name: true,
  initialSnapshot: true,
  onConflict: true,
  onExpired: true,
  surroundings: true,
};

/**
 * Makes the tab's session. It reads from memory at once, awakes by itself when the page is shown, focused or online
 * again, and sleeps when the page goes, after `idle` seconds without a write, or `maxWait` of writing. On a server it is
 * inert: it shows the snapshot and the defaults.
 *
 * In development (`NODE_ENV`) it throws `INVALID_OPTION` for an option that is missing or does not exist.
 */
export function createSessionClient<D extends AnyDefinition>(options: SessionClientOptions<D>): ClientSession<D> {
  if (development && process.env.NODE_ENV !== "production") checkOptions(options, Object.keys(optionNames));
  const {
    definition,
    http,
    path = "session",
    name = definition.name,
    idle = 1,
    maxWait = 5,
    unknownFor = 86_400,
  } = options;
  const { now, random, id, indexedDB, localStorage, channel, locks, page } = {
    ...browser(),
    ...options.surroundings,
  };
  const conflicts: Listeners<Conflict<D>> = new Set(options.onConflict && [options.onConflict]);
  const ends: Listeners<Expired> = new Set(options.onExpired && [options.onExpired]);
  const epochs = new Epochs(localStorage, name, id);
  // The disk reports to the tab, which is made after it.
  const table = new Table(epochs.shared ? indexedDB : undefined, `catnap:${name}`, () => tab.pulse());
  const database = new Database(table, epochs, new Journal(localStorage, name, id), definition, now, unknownFor * 1000);
  const replica = new Replica(definition, epochs.get(), id, now);
  const tab: Tab = new Tab({
    definition,
    replica,
    epochs,
    database,
    now,
    random,
    transport: new Transport(http, path),
    idleMs: idle * 1000,
    maxWaitMs: maxWait * 1000,
    unknownMs: unknownFor * 1000,
    visible: () => page?.document.visibilityState !== "hidden",
    openChannel: () => channel?.(`catnap:${name}`),
    watch: () =>
      page &&
      watchPage(
        page,
        () => void tab.awake().catch(() => undefined),
        (leaving) => tab.depart(leaving),
        () => tab.look(),
      ),
    live: options.live === true,
    locks,
    name,
    // The tab tells of keys of this definition, whose types it does not know.
    onConflict: (conflict) => tell(conflicts, conflict as Conflict<D>, conflict.what === "merged" ? [] : [conflict]),
    onExpired: (event) => tell(ends, event, event.unsent),
  });
  const session: ClientSession<D> = new ClientSession<D>(
    tab,
    replica,
    (initialSnapshot) => {
      if (typeof document === "undefined") return createSessionClient({ ...options, initialSnapshot });
      session.hydrate(initialSnapshot);
      return session;
    },
    conflicts,
    ends,
  );
  tab.open();
  if (options.initialSnapshot) session.hydrate(options.initialSnapshot);
  return session;
}

function browser(): Surroundings {
  return {
    now: Date.now,
    random: Math.random,
    id(bytes) {
      try {
        return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(bytes)))).replace(/\W/g, (one) =>
          one === "=" ? "" : one < "/" ? "-" : "_",
        );
      } catch {
        // A Worker forbids randomness while its module is loaded. What is made then only shows; a push is refused without ids.
        return "";
      }
    },
    // Of these, runtimes of servers have some as well.
    ...(typeof document === "undefined"
      ? undefined
      : {
          indexedDB: globalThis.indexedDB,
          localStorage: storage(),
          channel: openChannel,
          locks: navigator.locks,
          page: { document, window },
        }),
  };
}

/** Where cookies are blocked, Firefox throws at it. */
function openChannel(name: string): Channel | undefined {
  try {
    return new BroadcastChannel(name);
  } catch {
    return undefined;
  }
}

/** Where cookies are blocked, merely naming it throws. */
function storage(): Storage | undefined {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}
