import fastify from "fastify";
import { expect, test } from "vitest";
import { expressSession } from "../src/express.ts";
import { fastifySession } from "../src/fastify.ts";
import { honoSession } from "../src/hono.ts";
import { createNextSessions } from "../src/next.ts";

test.each([
  ["expressSession", () => expressSession(undefined as never)],
  ["honoSession", () => honoSession({} as never)],
  ["createNextSessions", () => createNextSessions(null as never)],
  [
    "fastifySession",
    () =>
      fastify()
        .register(fastifySession, {} as never)
        .ready(),
  ],
])("%s without sessions is told so when the door is made", async (door, make) => {
  await expect((async () => make())()).rejects.toMatchObject({
    code: "INVALID_OPTION",
    message: expect.stringMatching(`${door} wants what createSessions returns`),
  });
});
