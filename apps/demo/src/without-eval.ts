import * as z from "zod/mini";

// zod compiles its schemas where the page's policy allows it, and finds out by trying, which the policy reports. Imported
// before the first schema is made; the server, which has no such policy, goes on compiling.
z.config({ jitless: true });
