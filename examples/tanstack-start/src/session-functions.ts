import { createMiddleware, createServerFn } from "@tanstack/react-start";
import { getRequest, setCookie, setResponseHeader } from "@tanstack/react-start/server";
import * as z from "zod";
import { session } from "./session-client";
import { sessions } from "./sessions.server";

/** The session of the request that has come to the server function. */
const awake = () => {
  const { headers, method, url } = getRequest();
  return sessions.wake({ headers, method, url, setCookie, setHeader: setResponseHeader });
};

/** A function behind it sees what this tab has written, and the tab shows what it has changed. */
const withSession = createMiddleware({ type: "function" })
  .client(async ({ next }) => {
    await session.sleep();
    return next().finally(() => session.awake());
  })
  .server(({ next }) => awake().run((session) => next({ context: { session } })));

export const snapshot = createServerFn().handler(() => awake().snapshot());

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
