import { SessionError } from "@catnap/shared";
import type { Settings } from "../settings.ts";
import { expiresAt, type SessionRecord } from "../stores/store.ts";

/** Present in a session whose timeout was set by `setTimeout`: it stands, whatever the setting is. */
export const ownTimeoutKey = "~timeout";

type Clocks = Pick<Settings, "timeoutMs" | "lifetimeMs">;

const hasOwnTimeout = ({ entries }: SessionRecord): boolean => entries.get(ownTimeoutKey)?.value != null;

/** A record by today's settings, which bind sessions that were begun under others: their timeout is today's, their end no later. */
export function boundBy({ timeoutMs, lifetimeMs }: Clocks, record: SessionRecord): SessionRecord {
  const timeout = record.timeoutMs === timeoutMs || hasOwnTimeout(record) ? record.timeoutMs : timeoutMs;
  const endsAt = Math.min(record.endsAt, record.createdAt + lifetimeMs);
  if (timeout === record.timeoutMs && endsAt === record.endsAt) return record;
  return { ...record, timeoutMs: timeout, endsAt };
}

/** When a session ends: by the times that rest with it, which the store goes by, and by today's settings. */
export function expiryOf(clocks: Clocks, record: SessionRecord): number {
  const bound = boundBy(clocks, record);
  return bound === record ? expiresAt(record) : Math.min(expiresAt(record), expiresAt(bound));
}

/** Whether the next commit has to bring the resting timeout to today's. */
export function isOutdated({ timeoutMs }: Clocks, record: SessionRecord): boolean {
  return record.timeoutMs !== timeoutMs && !hasOwnTimeout(record);
}

/** Throws `INVALID_TIMEOUT` for more seconds than a session may live. */
export function assertTimeout(seconds: number, lifetimeMs: number): void {
  if (seconds * 1000 <= lifetimeMs) return;
  throw new SessionError(
    "INVALID_TIMEOUT",
    `A timeout of ${seconds} seconds is longer than the lifetime of a session (${lifetimeMs / 1000}): shorten it, or raise lifetime in createSessions`,
  );
}
