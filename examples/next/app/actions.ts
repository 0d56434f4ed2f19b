"use server";

import { redirect } from "next/navigation";
import { withSession } from "../sessions";

export const login = withSession(async (session, form: FormData) => {
  const name = String(form.get("name"));
  session.login(name); // a new token, the same session
  session.setValue("user", { name });
  redirect("/"); // commits, as a return would; any other throw does not
});

export const logout = withSession((session) => session.invalidate());
