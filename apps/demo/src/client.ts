import { createTRPCClient, httpBatchLink, httpSubscriptionLink, splitLink } from "@trpc/client";
import type { SessionSnapshot } from "catnap";
import { createSessionClient } from "catnap/client";
import superjson from "superjson";
import type { AppRouter } from "./server/router.ts";
import { shop } from "./session.ts";

const options = { url: "/trpc", transformer: superjson };

export const api = createTRPCClient<AppRouter>({
  links: [
    splitLink({
      condition: ({ type }) => type === "subscription",
      true: httpSubscriptionLink(options),
      // Not the streaming link: a login needs its cookie before the answer starts.
      false: httpBatchLink(options),
    }),
  ],
});

/** The tab's session; on the server, what the page is rendered from. */
export function openSession(initialSnapshot: SessionSnapshot) {
  return createSessionClient({
    definition: shop,
    trpc: api.session,
    url: "/trpc/session",
    transformer: superjson,
    live: true,
    initialSnapshot,
  });
}
