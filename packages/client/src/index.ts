export { createSessionClient, type SessionClientOptions, type Surroundings } from "./client.ts";
export { sessionLink } from "./link/session-link.ts";
export type { Page } from "./page.ts";
export type { Conflict, Expired } from "./replica/events.ts";
export { ClientSession } from "./session.ts";
export type { StorageState } from "./storage/table.ts";
export type { EventStream, HttpHeaders, HttpOptions, Transformer } from "./sync/http-options.ts";
export type { Channel } from "./sync/siblings.ts";
export type { Status } from "./tab-parts.ts";
