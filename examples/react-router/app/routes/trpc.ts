import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { appRouter, createContext } from "../router.server";
import type { Route } from "./+types/trpc";

const handler = ({ request }: Route.LoaderArgs) =>
  fetchRequestHandler({ endpoint: "/trpc", req: request, router: appRouter, createContext });

export { handler as action, handler as loader };
