export type { SessionEvent } from "./events.ts";
export type { CookieOptions } from "./identity/cookie.ts";
export type { FreshMiddleware } from "./identity/fresh.ts";
export type { WakeOptions } from "./request/exchange.ts";
export type { SessionMiddleware } from "./request/middleware.ts";
export type { RequestSession } from "./request/request-session.ts";
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
export type { ListedSession, ListQuery } from "./upkeep/subjects.ts";
