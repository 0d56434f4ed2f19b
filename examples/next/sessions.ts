import { createNextSessions } from "catnap/next";
import { createSessions, memoryStore, once } from "catnap/server";
import { shop } from "./session";

// Next loads this module once for pages and once for routes: `once` gives both the same store.
const store = once("store", memoryStore);
export const sessions = createSessions({ definition: shop, store });

export const { readSession, withSession, snapshot } = createNextSessions(sessions);
