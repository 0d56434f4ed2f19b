import { index, type RouteConfig, route } from "@react-router/dev/routes";

export default [
  index("routes/home.tsx"),
  route("whoami", "routes/whoami.ts"),
  route("trpc/*", "routes/trpc.ts"),
] satisfies RouteConfig;
