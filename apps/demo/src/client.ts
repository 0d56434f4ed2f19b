import { createTRPCClient, httpBatchLink } from "@trpc/client";
import type { SessionSnapshot } from "catnap";
import { createSessionClient, sessionLink } from "catnap/client";
import superjson from "superjson";
import type { AppRouter } from "./server/router.ts";
import { shop } from "./session.ts";

const http = { url: "/trpc", transformer: superjson };

/** A tab's session; on the server, what a page is rendered from. */
export function openSession(initialSnapshot: SessionSnapshot) {
  return createSessionClient({
    definition: shop,
    http,
    live: true,
    initialSnapshot,
  });
}

let session: ReturnType<typeof openSession> | undefined;

/** Opens this tab's session, once. */
export function startSession(initialSnapshot: SessionSnapshot) {
  session = openSession(initialSnapshot);
  return session;
}

/** The shop's procedures: each sees what this tab has written, and what it changes shows when it has answered. */
export const api = createTRPCClient<AppRouter>({
  // Not the streaming link: a login needs its cookie before the answer starts.
  links: [sessionLink(() => session), httpBatchLink(http)],
});
