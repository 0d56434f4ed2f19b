import { withSession } from "../../sessions";

export const GET = withSession((session) =>
  Response.json({
    theme: session.value("theme"),
    user: session.value("user", null)?.name ?? null,
    cart: session.value("cart"),
  }),
);
