import { initTRPC } from "@trpc/server";
import { procedure, sessions, t } from "../api/server.js";

export const read = procedure.query(({ ctx }) => {
  //! Argument of type '"thme"' is not assignable to parameter of type '"cart" | "theme" | "visits" | "user" | "seed"'.
  ctx.session.value("thme");
  //! Argument of type '"thme"' is not assignable to parameter of type '"cart" | "theme" | "visits" | "user" | "seed"'.
  ctx.session.value("thme", null);
  //! Argument of type '"thme"' is not assignable to parameter of type '"cart" | "theme" | "visits" | "user" | "seed"'.
  ctx.session.setValue("thme", "dark");
  //! Argument of type '"blue"' is not assignable to parameter of type '"light" | "dark" | undefined'.
  ctx.session.setValue("theme", "blue");
});

const other = initTRPC.context<{ user: string }>().create();
//! Property 'session' is missing in type '{ user: string; }'
other.procedure.use(sessions.middleware);
//! Property 'session' is missing in type '{ user: string; }'
other.procedure.use(sessions.requireFresh(300));
//! error: "use sessions.middleware on this procedure first"
sessions.router({ procedure: t.procedure });
