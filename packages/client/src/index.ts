export { createSessionClient, type SessionClientOptions, type Surroundings } from "./client.ts";
export { ClientSession } from "./client-session.ts";
export type { StorageState } from "./disk.ts";
export type { Page } from "./lifecycle.ts";
export type { ChangesListener, SessionProcedures, Transformer } from "./post.ts";
export { sessionLink } from "./session-link.ts";
export type { Conflict, Expired, Status } from "./tab.ts";
export type { Channel } from "./tabs.ts";
