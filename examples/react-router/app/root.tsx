import { SessionProvider } from "catnap/react";
import { data, Links, Meta, Outlet, Scripts } from "react-router";
import type { Route } from "./+types/root";
import { session } from "./session-client";
import { sessions } from "./sessions.server";

export const links: Route.LinksFunction = () => [{ rel: "icon", href: "data:," }];

export async function loader({ request }: Route.LoaderArgs) {
  const awake = sessions.wake(request);
  return data(await awake.snapshot(), { headers: awake.headers });
}

/** The page is this visitor's: the loader's headers say so to caches. */
export const headers: Route.HeadersFunction = ({ loaderHeaders }) => loaderHeaders;

export default function Root({ loaderData }: Route.ComponentProps) {
  return (
    <html lang="en">
      <head>
        <meta charSet="utf-8" />
        <title>Catnap with React Router</title>
        <Meta />
        <Links />
      </head>
      <body>
        <SessionProvider client={session} initialSnapshot={loaderData}>
          <Outlet />
        </SessionProvider>
        <Scripts />
      </body>
    </html>
  );
}
