import { createRootRoute, HeadContent, Outlet, Scripts } from "@tanstack/react-router";
import { SessionProvider } from "catnap/react";
import { session } from "../session-client";
import { snapshot } from "../session-functions";

export const Route = createRootRoute({
  loader: () => snapshot(),
  staleTime: Number.POSITIVE_INFINITY, // for the first render; from then on the tab's session knows better
  head: () => ({
    meta: [{ charSet: "utf-8" }, { title: "Catnap with TanStack Start" }],
    links: [{ rel: "icon", href: "data:," }],
  }),
  component: Root,
});

function Root() {
  return (
    <html lang="en">
      <head>
        <HeadContent />
      </head>
      <body>
        <SessionProvider client={session} initialSnapshot={Route.useLoaderData()}>
          <Outlet />
        </SessionProvider>
        <Scripts />
      </body>
    </html>
  );
}
