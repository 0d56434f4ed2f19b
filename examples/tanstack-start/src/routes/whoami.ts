import { createFileRoute } from "@tanstack/react-router";
import { sessions } from "../sessions.server";

export const Route = createFileRoute("/whoami")({
  server: {
    handlers: {
      GET: ({ request }) =>
        sessions.run(request, (session) =>
          Response.json({
            theme: session.value("theme"),
            user: session.value("user", null)?.name ?? null,
            cart: session.value("cart"),
          }),
        ),
    },
  },
});
