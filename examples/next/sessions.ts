import { createNextSessions } from "catnap/next";
import { createSessions, memoryStore, once } from "catnap/server";
import { shop } from "./session";

// Next has a copy of this module for pages and one for routes, and in development another after each edit: one store for all.
export const sessions = createSessions({ definition: shop, store: once("store", memoryStore) });

export const { readSession, withSession, snapshot } = createNextSessions(sessions);
