import { type AnyDefinition, development } from "@catnap/shared";
import { checkOptions } from "./client-checks.ts";
import type { SessionClientOptions, Surroundings } from "./client-options.ts";
import { watchPage } from "./page.ts";
import { type Conflict, type Expired, tell } from "./replica/events.ts";
import type { Listeners } from "./replica/listeners.ts";
import { Replica } from "./replica/replica.ts";
import { ClientSession } from "./session.ts";
import { Database } from "./storage/database.ts";
import { Epochs } from "./storage/epochs.ts";
import { Journal } from "./storage/journal.ts";
import { Table } from "./storage/table.ts";
import { Transport } from "./sync/transport.ts";
import { Tab } from "./tab.ts";

/** Written out where it is asked for: bundlers replace it in the text. */
declare const process: { env: { NODE_ENV?: string } };

/**
 * Makes the tab's session. It reads from memory at once, awakes by itself when the page is shown, focused or online
 * again, and sleeps when the page goes, after `idle` seconds without a write, or `maxWait` of writing. On a server it is
 * inert: it shows the snapshot and the defaults.
 *
 * In development (`NODE_ENV`) it throws `INVALID_OPTION` for an option that is missing, does not exist, or is not what it
 * has to be.
 */
export function createSessionClient<D extends AnyDefinition>(options: SessionClientOptions<D>): ClientSession<D> {
  if (development && process.env.NODE_ENV !== "production") checkOptions(options);
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
  const database = new Database(table, epochs, new Journal(localStorage, name, id), definition, now);
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
        () => void tab.awake(),
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
    // A Worker forbids randomness while its module is loaded. What is made then only shows; a push is refused without ids.
    id: (bytes) =>
      allowed(() =>
        btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(bytes)))).replace(/\W/g, (one) =>
          one < "/" ? "-" : one > "/" ? "" : "_",
        ),
      ) ?? "",
    // Of these, runtimes of servers have some as well.
    ...(typeof document === "undefined"
      ? undefined
      : {
          indexedDB: globalThis.indexedDB,
          // Where cookies are blocked, merely naming localStorage throws, and in Firefox making a channel.
          localStorage: allowed(() => globalThis.localStorage),
          channel: (name) => allowed(() => new BroadcastChannel(name)),
          locks: navigator.locks,
          page: { document, window },
        }),
  };
}

/** What `get` gives; `undefined` where the browser forbids it, which throws. */
function allowed<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}
