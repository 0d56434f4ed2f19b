export type { WakeOptions } from "./carrier.ts";
export type { CookieOptions } from "./cookie.ts";
export type { SessionEvent } from "./events.ts";
export type { FreshMiddleware } from "./fresh.ts";
export type { SessionMiddleware } from "./middleware.ts";
export type { SessionPolicy } from "./policy.ts";
export type { RequestSession } from "./request-session.ts";
export type { RouterInfo, SessionProcedure, SessionRouterRecord } from "./router.ts";
export { createSessions, type Sessions } from "./sessions.ts";
export type { MaxSessions, SessionHooks, SessionsOptions, Visitor } from "./settings.ts";
export {
  type Commit,
  type Entry,
  type EntryChange,
  expiresAt,
  type Page,
  type Query,
  type SessionInfo,
  type SessionRecord,
  type SessionStore,
  type StoreKey,
  type Touch,
  type Unsubscribe,
  type WriteResult,
} from "./store.ts";
export type { ListedSession, ListQuery } from "./subjects.ts";
