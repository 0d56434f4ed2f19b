export { checksum, differ } from "./checksum.ts";
export { assertPlain, byteLength, decode, encode, mark } from "./codec.ts";
export {
  type Access,
  type AnyDefinition,
  counter,
  type Definition,
  defineSession,
  type InputOf,
  type Key,
  type Limits,
  type NameOf,
  type Shape,
  type Side,
  type ValueDeclaration,
  type ValueOf,
  type ValuesOf,
  value,
  type WritableNameOf,
} from "./definition.ts";
export { freezeInDevelopment } from "./freeze.ts";
export { type Merge, merge } from "./merge.ts";
export { applyOp, mergeValues, type Op } from "./patch.ts";
export { revisionHeader } from "./revision-header.ts";
export {
  forbidden,
  homeOf,
  type LoginOptions,
  type Previous,
  type ReportHandler,
  Session,
  type SessionHome,
  type SessionState,
  type Transaction,
  transaction,
} from "./session.ts";
export {
  isSessionError,
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
