export { createNextSessions, type NextHeaders, type NextSessions } from "@catnap/adapters/next";
