import type { SessionRecord } from "../stores/store.ts";
import type { CookieSettings } from "./cookie.ts";

/** Present in a session that `setPersistent` was called on: `1`, its cookie stays when the browser is closed; `0`, it goes. */
export const persistentKey = "~persistent";

/** How a session's choice rests. */
export const persistentText = (persistent: boolean): string => (persistent ? "1" : "0");

/** Whether the cookie of a session stays when the browser is closed: as the session says, else as the settings do. */
export function isPersistent(
  { persistent }: Pick<CookieSettings, "persistent">,
  entries: SessionRecord["entries"] | undefined,
): boolean {
  const own = entries?.get(persistentKey)?.value;
  return own == null ? persistent : own === persistentText(true);
}
