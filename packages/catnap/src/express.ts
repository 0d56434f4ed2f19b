export { type ExpressMiddleware, expressSession } from "@catnap/adapters/express";
