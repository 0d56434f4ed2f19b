export {
  type Register,
  type Registered,
  SessionProvider,
  type SessionValue,
  useSession,
  useSessionStatus,
  useSessionValue,
} from "@catnap/react";
