import { sessions } from "../sessions.server";
import type { Route } from "./+types/whoami";

export const loader = ({ request }: Route.LoaderArgs) =>
  sessions.run(request, (session) =>
    Response.json({
      theme: session.value("theme"),
      user: session.value("user", null)?.name ?? null,
      cart: session.value("cart"),
    }),
  );
