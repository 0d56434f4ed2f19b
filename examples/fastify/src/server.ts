import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import { type FastifyTRPCPluginOptions, fastifyTRPCPlugin } from "@trpc/server/adapters/fastify";
import type { Session } from "catnap";
import { fastifySession } from "catnap/fastify";
import fastify from "fastify";
import { renderPage } from "./page";
import { type AppRouter, appRouter, createContext } from "./router";
import type { shop } from "./session";
import { sessions } from "./sessions";

declare module "fastify" {
  interface FastifyRequest {
    session: Session<typeof shop>;
  }
}

const app = fastify({ routerOptions: { maxParamLength: 5000 } }); // a batch of tRPC's names its procedures in the path
app.register(fastifyStatic, { root: fileURLToPath(new URL("../public", import.meta.url)), index: false });
app.register(fastifyTRPCPlugin, {
  prefix: "/trpc",
  trpcOptions: { router: appRouter, createContext } satisfies FastifyTRPCPluginOptions<AppRouter>["trpcOptions"],
});
app.register(fastifySession, { sessions });

app.get("/", async (req, res) => {
  res.type("text/html; charset=utf-8");
  return renderPage(await sessions.wake({ req, res }).snapshot());
});

app.get("/whoami", async ({ session }) => ({
  theme: session.value("theme"),
  user: session.value("user", null)?.name ?? null,
  cart: session.value("cart"),
}));

console.log(await app.listen({ port: Number(process.env.PORT ?? 3000) }));
