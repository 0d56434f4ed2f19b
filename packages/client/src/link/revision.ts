import { after, revisionHeader } from "@catnap/shared";
import type { Replica } from "../replica/replica.ts";
import type { Sync } from "../sync/sync.ts";
import type { LinkedTab } from "./linked-tab.ts";
import type { Meta } from "./piggyback.ts";

/** How long an answer waits for the news of what its call has changed: the call itself is done. */
const patienceMs = 5_000;

/**
 * Asks for what a call has changed in the session, unless the tab has it already. Resolves when it shows, or when that takes
 * too long; never rejects. `undefined`: there is nothing to wait for. `changed`: the call may have changed something.
 */
export function takeIn({ tab, sync, replica }: LinkedTab, meta: Meta, changed: boolean): Promise<void> | undefined {
  // It asks when it awakes.
  if (tab.status().state === "asleep") return undefined;
  // The headers of a stream leave before any procedure has run, and a WebSocket's answers have none.
  if (!meta?.responseJSON) return changed ? soon(sync.nextRound()) : undefined;
  const { headers } = meta.response as { headers?: { get?(name: string): string | null } };
  const told = headers?.get?.(revisionHeader);
  return told && isBehind(replica, told) ? soon(catchUp(sync, () => isBehind(replica, told))) : undefined;
}

function isBehind(replica: Replica, told: string): boolean {
  const [rev, identifier = null] = told.split(" ");
  // The cookie has opened what the call has ended.
  replica.kept ||= rev === "Infinity";
  return identifier !== replica.identifier || Number(rev) > replica.since;
}

/** One round; a second one only when the first was under way before. */
async function catchUp(sync: Sync, isBehind: () => boolean): Promise<void> {
  if (sync.flying) await sync.round().catch(() => undefined);
  if (isBehind()) await sync.round();
}

/** What fails here is tried again as the session always does. */
function soon(caughtUp: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = after(patienceMs, resolve);
    const end = () => {
      cancel();
      resolve();
    };
    caughtUp.then(end, end);
  });
}
