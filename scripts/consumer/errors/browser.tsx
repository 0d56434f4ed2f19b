import { SessionProvider, useSessionValue } from "catnap/react";
import { useForumValue } from "../web/app.js";
import { second, session, trpc } from "../web/client.js";

//! Argument of type '"thme"' is not assignable to parameter of type '"cart" | "theme" | "visits" | "user"'.
session.value("thme");
//! Argument of type '"thme"' is not assignable to parameter of type '"cart" | "theme" | "visits" | "user"'.
session.hasValue("thme");
//! Argument of type '"seed"' is not assignable to parameter of type '"cart" | "theme" | "visits" | "user"'.
session.value("seed");
//! Argument of type '"thme"' is not assignable to parameter of type '"cart" | "theme" | "visits"'.
session.setValue("thme", "dark");
//! Argument of type '"thme"' is not assignable to parameter of type '"cart" | "theme" | "visits"'.
session.delValue("thme");
//! Argument of type '"user"' is not assignable to parameter of type '"cart" | "theme" | "visits" | "user is readonly: the server alone writes it, call a procedure"'.
session.setValue("user", { id: "1" });
//! "user is readonly: the server alone writes it, call a procedure"
session.update("user", (user) => user);
//! "user is readonly: the server alone writes it, call a procedure"
session.delValue("user");
//! "user is readonly: the server alone writes it, call a procedure"
session.flash("user");
//! "seed is secret: it never leaves the server"
session.setValue("seed", "x");
//! Property 'login' does not exist on type 'ClientSession<
session.login("ann");
//! Property 'rotate' does not exist on type 'ClientSession<
session.rotate();
//! Property 'subject' does not exist on type 'ClientSession<
session.subject();
//! Property 'previous' does not exist on type 'ClientSession<
session.previous();
//! Property 'setTimeout' does not exist on type 'ClientSession<
session.setTimeout(60);
//! Property 'sessionEncode' does not exist on type 'ClientSession<
session.sessionEncode("/");
//! '"user"' is not assignable to type '"cart" | "theme" | "visits"'
trpc.session.delValue.mutate({ key: "user" });

export function Component() {
  //! Argument of type '"thme"' is not assignable to parameter of type '"cart" | "theme" | "visits" | "user"'.
  useSessionValue("thme");
  //! Argument of type '"theme"' is not assignable to parameter of type '"draft"'.
  useForumValue("theme");
  const [, setUser] = useSessionValue("user");
  //! Type '{ readonly error: "user is readonly: the server alone writes it, call a procedure"; }' has no call signatures.
  setUser({ id: "1" });
  //! Type 'ClientSession<Definition<{ readonly draft:
  return <SessionProvider client={second} />;
}
