import { createSessionClient } from "catnap/client";
import { shop } from "./session";

export const session = createSessionClient({ definition: shop, http: { url: "/trpc" } });

declare module "catnap/react" {
  interface Register {
    definition: typeof shop; // types the hooks
  }
}
