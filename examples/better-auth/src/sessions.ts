import { createSessions, memoryStore } from "catnap/server";
import { shop } from "./session";

// They end with the process; sqliteStore, postgresStore and redisStore keep theirs.
export const sessions = createSessions({ definition: shop, store: memoryStore() });
