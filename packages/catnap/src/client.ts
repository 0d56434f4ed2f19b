export {
  type Channel,
  ClientSession,
  createSessionClient,
  type Expired,
  type Page,
  type SessionClientOptions,
  type SessionProcedures,
  type Status,
  type StorageState,
  type Surroundings,
  type Transformer,
} from "@catnap/client";
