export { type FastifySessionOptions, fastifySession } from "@catnap/adapters/fastify";
