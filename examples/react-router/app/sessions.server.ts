import { createSessions, memoryStore, once } from "catnap/server";
import { shop } from "./session";

// In development this module is loaded again after each edit: `once` keeps the store.
const store = once("store", memoryStore);
export const sessions = createSessions({ definition: shop, store });
