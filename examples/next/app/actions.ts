"use server";

import { withSession } from "../sessions";

export const login = withSession(async (session, form: FormData) => {
  const name = String(form.get("name"));
  session.login(name); // a new token, the same session
  session.setValue("user", { name });
});

export const logout = withSession((session) => session.invalidate());
