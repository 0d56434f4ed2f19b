import { createSessions, memoryStore } from "catnap/server";
import { shop } from "./session";

// In memory, for one process whose sessions may go with it. Others: https://…
export const sessions = createSessions({ definition: shop, store: memoryStore() });
