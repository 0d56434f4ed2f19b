import { createFileRoute } from "@tanstack/react-router";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { appRouter, createContext } from "../procedures.server";

const handler = ({ request }: { request: Request }) =>
  fetchRequestHandler({ endpoint: "/trpc", req: request, router: appRouter, createContext });

export const Route = createFileRoute("/trpc/$")({ server: { handlers: { GET: handler, POST: handler } } });
