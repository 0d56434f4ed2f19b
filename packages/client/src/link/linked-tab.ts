import { homeOf } from "@catnap/shared";
import type { Replica } from "../replica/replica.ts";
import type { ClientSession } from "../session.ts";
import type { Sync } from "../sync/sync.ts";
import type { Transport } from "../sync/transport.ts";
import type { Tab } from "../tab.ts";

/** A tab's session as `sessionLink` knows it. */
export interface LinkedTab {
  readonly tab: Tab;
  readonly replica: Replica;
  readonly sync: Sync;
  readonly transport: Transport;
  /** How the paths of the session's own procedures begin. */
  readonly procedures: string;
}

export function linkedTab(session: ClientSession): LinkedTab {
  // The home of a session that `createSessionClient` has made.
  const tab = homeOf(session) as Tab;
  const { replica, sync, transport } = tab.linked;
  return { tab, replica, sync, transport, procedures: `${transport.path}.` };
}
