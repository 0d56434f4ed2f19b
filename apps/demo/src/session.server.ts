import { extendSession } from "catnap/server";
import * as z from "zod";
import { shop as shared } from "./session.ts";

/** The server's half: what no browser has in its bundle. */
export const shop = extendSession(shared, { secret: { csrfSeed: z.string() } });
