import type { AnyDefinition, SessionErrorCode } from "@catnap/shared";
import type { Conflict, Expired } from "./replica/events.ts";
import type { Replica } from "./replica/replica.ts";
import type { Database } from "./storage/database.ts";
import type { Epochs } from "./storage/epochs.ts";
import type { StorageState } from "./storage/table.ts";
import type { Channel } from "./sync/siblings.ts";
import type { Transport } from "./sync/transport.ts";

/** What a tab's session is doing, and whether its changes are safe. A new object only when something differs. */
export interface Status {
  /** `asleep` before the first awake and while the page is hidden; `synced`: nothing is pending; `offline`: the last try to reach the server failed; `unconfirmed`: the session's time seems to be over, so that until the server has answered only unsent changes and keys with `adopt` are shown. */
  readonly state: "asleep" | "synced" | "dirty" | "syncing" | "offline" | "unconfirmed" | "expired";
  /** Changes of this browser that the server has not acknowledged, as far as this tab knows. */
  readonly pending: number;
  /** Where they wait: safe on `disk`, in `memory` alone, or not known yet. */
  readonly storage: StorageState;
  /** Why changes cannot go home, where somebody has to mend that; the same object until it differs. A lost network is none. */
  readonly problem?: { readonly code: SessionErrorCode; readonly message: string } | undefined;
}

/** What a tab works with; `createSessionClient` puts it together. */
export interface TabParts {
  readonly definition: AnyDefinition;
  readonly replica: Replica;
  readonly transport: Transport;
  readonly epochs: Epochs;
  readonly database: Database;
  readonly idleMs: number;
  readonly maxWaitMs: number;
  readonly unknownMs: number;
  readonly now: () => number;
  readonly random: () => number;
  readonly visible: () => boolean;
  readonly openChannel: () => Channel | undefined;
  /** Tells the tab when its page comes and goes, until that is aborted. */
  readonly watch: () => AbortController | undefined;
  readonly live: boolean;
  readonly locks: Pick<LockManager, "request"> | undefined;
  /** The browser's tabs share locks of this name. */
  readonly name: string;
  readonly onConflict: (conflict: Conflict) => void;
  readonly onExpired: (event: Expired) => void;
}
