export { assertPlain, byteLength, decode, encode, mark } from "./codec.ts";
export { checksum, differ, fnv, valueSum } from "./definition/checksum.ts";
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
} from "./definition/definition.ts";
export { checkDefinition } from "./definition/definition-checks.ts";
export type { Access, Key, Limits, ValueDeclaration } from "./definition/key.ts";
export { type Merge, merge } from "./definition/merge.ts";
export type {
  InputOf,
  NameOf,
  ReadonlyKey,
  Refused,
  Side,
  ValueOf,
  ValuesOf,
  WritableNameOf,
} from "./definition/names.ts";
export { development } from "./development.ts";
export { freezeInDevelopment } from "./freeze.ts";
export { boolean, callable, invalid, known, likeOne, shown } from "./option-checks.ts";
export { assertAccess, BaseSession, homeOf, type ReportHandler } from "./session/base-session.ts";
export type { BaseHome, LoginOptions, Previous, SessionHome, SessionState, Transaction } from "./session/home.ts";
export { Session } from "./session/session.ts";
export {
  isSessionError,
  refusal,
  SessionError,
  type SessionErrorCode,
  type SessionErrorData,
  type SessionIssue,
} from "./session-error.ts";
export { after, type Cancel, every } from "./timers.ts";
export { applyOp, mergeValues, type Op } from "./wire/patch.ts";
export { revisionHeader } from "./wire/revision-header.ts";
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
} from "./wire/wire.ts";
