export { honoSession, type SessionVariables } from "@catnap/adapters/hono";
