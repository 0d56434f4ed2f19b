import type { Device } from "./device.ts";

// Tabs of one browser under two profiles cannot tell which of each other's changes are counted. Schedules do not come to that.

/** Whether a new tab can read which profile the browser has; on a full disk, only where nothing is to be wiped first. */
export function readable({ disk, marks }: Device): boolean {
  const wipes = [...marks].some(([name, text]) => name.endsWith(":wipe") && text !== "");
  return disk.health === "fine" || (disk.health === "full" && disk.rows.has("profile") && !wipes);
}

/** Whether all tabs have read it. */
export function agreed({ tabs, cleared }: Device): boolean {
  return !cleared && tabs.every(({ session }) => session.status().storage === "disk");
}
