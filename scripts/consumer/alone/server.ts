import { createSessions, memoryStore } from "catnap/server";

export const create = createSessions;
export const store = memoryStore();
