import { createSessionClient } from "catnap/client";
import { scratch } from "./session.ts";

/** The page's session, for the scripts of tests. */
const session = createSessionClient({ definition: scratch, http: { url: "/trpc" } });
Object.assign(globalThis, { session });
void session.awake();
