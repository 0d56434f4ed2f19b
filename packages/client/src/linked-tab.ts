import { homeOf } from "@catnap/shared";
import type { ClientSession } from "./client-session.ts";
import type { Post } from "./post.ts";
import type { Replica } from "./replica.ts";
import type { Sync } from "./sync.ts";
import type { Tab } from "./tab.ts";

/** A tab's session as `sessionLink` knows it. */
export interface LinkedTab {
  readonly tab: Tab;
  readonly replica: Replica;
  readonly sync: Sync;
  readonly post: Post;
  /** How the paths of the session's own procedures begin. */
  readonly procedures: string;
}

export function linkedTab(session: ClientSession): LinkedTab {
  // The home of a session that `createSessionClient` has made.
  const tab = homeOf(session) as Tab;
  const { replica, sync, post } = tab.linked;
  return { tab, replica, sync, post, procedures: `${post.url.split("/").at(-1)}.` };
}
