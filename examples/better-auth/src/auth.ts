import { randomBytes } from "node:crypto";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { createAuthMiddleware } from "better-auth/api";
import { username } from "better-auth/plugins";
import { sessions } from "./sessions";

export const auth = betterAuth({
  baseURL: `http://localhost:${process.env.PORT ?? 3000}`,
  secret: process.env.BETTER_AUTH_SECRET ?? randomBytes(32).toString("base64"),
  database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
  emailAndPassword: { enabled: true },
  plugins: [username()],
  // Which of Catnap's sessions goes with a session of better-auth's.
  session: { additionalFields: { catnap: { type: "string", required: false, input: false } } },
  hooks: {
    after: createAuthMiddleware(async (ctx) => {
      const signedIn = ctx.context.newSession;
      // Nobody has signed in, or a session was only extended, or the server calls itself.
      if (!signedIn || signedIn.session.catnap || !ctx.headers) return;
      const { id, name } = signedIn.user;
      const catnap = await sessions.wake({ ...ctx, headers: ctx.headers, url: ctx.request?.url }).run((session) => {
        session.login(id, { replace: true, keep: ["theme", "cart"] });
        session.setValue("user", { name });
        return session.identifier();
      });
      await ctx.context.internalAdapter.updateSession(signedIn.session.token, { catnap });
    }),
  },
  databaseHooks: {
    session: {
      delete: {
        // Not the request's session: it may be a phone that was signed out from the desk.
        after: async ({ userId, catnap }) => {
          if (typeof catnap === "string") await sessions.revoke(catnap, { subject: userId });
        },
      },
    },
  },
});
