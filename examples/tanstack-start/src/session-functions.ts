import { createMiddleware, createServerFn } from "@tanstack/react-start";
import { getRequest, setCookie, setResponseHeader } from "@tanstack/react-start/server";
import * as z from "zod";
import { session } from "./session-client";
import { sessions } from "./sessions.server";

/** The session of the request that has come to the server function. */
const wake = ({ headers, method, url } = getRequest()) =>
  sessions.wake({ headers, method, url, setCookie, setHeader: setResponseHeader });

/** A function behind it sees what this tab has written, and the tab shows what it has changed. */
const withSession = createMiddleware({ type: "function" })
  .client(({ next }) => session.around(() => next()))
  .server(({ next }) => wake().run((session) => next({ context: { session } })));

export const snapshot = createServerFn().handler(() => wake().snapshot());

export const login = createServerFn({ method: "POST" })
  .middleware([withSession])
  .validator(z.object({ name: z.string().min(1) }))
  .handler(({ context: { session }, data: { name } }) => {
    session.login(name); // a new token, the same session
    session.setValue("user", { name });
  });

export const logout = createServerFn({ method: "POST" })
  .middleware([withSession])
  .handler(({ context: { session } }) => session.invalidate());
