export { assertAccess, BaseSession, homeOf, type ReportHandler } from "./base-session.ts";
export { checksum, differ } from "./checksum.ts";
export { assertPlain, byteLength, decode, encode, mark } from "./codec.ts";
export {
  type AnyDefinition,
  type Counter,
  counter,
  type Definition,
  defineSession,
  keyNamed,
  type Migrations,
  namesOf,
  type ServerSchemas,
  type Shape,
  value,
} from "./definition.ts";
export { checkDefinition } from "./definition-checks.ts";
export { development } from "./development.ts";
export { freezeInDevelopment } from "./freeze.ts";
export type { BaseHome, LoginOptions, Previous, SessionHome, SessionState, Transaction } from "./home.ts";
export type { Access, Key, Limits, ValueDeclaration } from "./key.ts";
export { type Merge, merge } from "./merge.ts";
export type {
  InputOf,
  NameOf,
  ReadonlyKey,
  Refused,
  Side,
  ValueOf,
  ValuesOf,
  WritableNameOf,
} from "./names.ts";
export { boolean, callable, invalid, known, likeOne, shown } from "./option-checks.ts";
export { applyOp, mergeValues, type Op } from "./patch.ts";
export { revisionHeader } from "./revision-header.ts";
export { Session } from "./session.ts";
export {
  isSessionError,
  refusal,
  SessionError,
  type SessionErrorCode,
  type SessionErrorData,
  type SessionIssue,
} from "./session-error.ts";
export { after, type Cancel, every } from "./timers.ts";
export {
  type Answer,
  type ChangesEvent,
  type ChangesInput,
  maxNotes,
  maxOpsPerPush,
  type Note,
  noteName,
  type Push,
  protocol,
  type SessionFacts,
  type SessionSnapshot,
  type SyncFailure,
  type SyncSuccess,
  type WireEntry,
} from "./wire.ts";
