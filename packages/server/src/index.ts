export type { SessionEvent } from "./events.ts";
export type { WakeSource } from "./exchange/sources.ts";
export { type Extension, extendSession } from "./extend-session.ts";
export type { CookieAttributes } from "./identity/cookie.ts";
export type { CookieOptions, FormerCookie } from "./identity/cookie-options.ts";
export type { FreshMiddleware } from "./identity/fresh.ts";
export { once } from "./once.ts";
export type { AwakeSession, RunOptions } from "./request/awake-session.ts";
export type { SessionMiddleware } from "./request/middleware.ts";
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
} from "./stores/store.ts";
export type { RouterInfo, SessionProcedure, SessionRouterRecord } from "./sync/router.ts";
export type { SessionPolicy } from "./upkeep/policy.ts";
export type { ListedSession, ListQuery, RevokeQuery } from "./upkeep/subjects.ts";
