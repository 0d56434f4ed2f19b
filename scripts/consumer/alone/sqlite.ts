import { sqliteStore } from "catnap/sqlite";

export const store = sqliteStore("sessions.db");
