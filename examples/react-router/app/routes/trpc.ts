import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { appRouter, createContext } from "../router.server";
import type { Route } from "./+types/trpc";

export const loader = ({ request }: Route.LoaderArgs) =>
  fetchRequestHandler({ endpoint: "/trpc", req: request, router: appRouter, createContext });

export const action = loader;
