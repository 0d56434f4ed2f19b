import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { createSessions } from "catnap/server";
import { sqliteStore } from "catnap/sqlite";
import { shop } from "../session.server.ts";

export const port = Number(process.env.PORT ?? 3000);

const file = process.env.CATNAP_DB ?? "data/sessions.db";
mkdirSync(dirname(file), { recursive: true });

export const sessions = createSessions({
  definition: shop,
  store: sqliteStore(file),
  // Plain HTTP on this machine alone, so the cookie does without `Secure`. In production: ["https://your.shop"].
  origins: [`http://127.0.0.1:${port}`, `http://localhost:${port}`],
});
