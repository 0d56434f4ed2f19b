import type { Sessions } from "@catnap/server";
import { type AnyDefinition, SessionError } from "@catnap/shared";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { assertSessions } from "./checked.ts";
import { closed } from "./closed.ts";

/** What `fastifySession` is registered with. */
export interface FastifySessionOptions<D extends AnyDefinition = AnyDefinition> {
  readonly sessions: Pick<Sessions<D>, "wake">;
}

/** A request's transaction: `over` when it is committed, and what ends it. */
interface Turn {
  readonly over: Promise<void>;
  readonly end: () => void;
  readonly drop: (why: unknown) => void;
}

/**
 * Fastify's plugin: `app.register(fastifySession, { sessions })` gives every request of the app its session as
 * `request.session`, of one transaction, which is committed before the answer leaves, in `onSend`. An answer of 500 or more
 * drops the changes, and so does an error, whatever its status.
 *
 * What the session refuses is an error that Fastify answers by its `status` and `headers`: `STORE_UNAVAILABLE` is a 503 with
 * `Retry-After`. `CROSS_SITE` comes when a page of another site would change the session, and not before. The changes of a
 * reply that was hijacked are committed when it is over; when they cannot be, the request's log is told.
 */
export function fastifySession<D extends AnyDefinition>(
  app: FastifyInstance,
  { sessions }: FastifySessionOptions<D>,
  done: (error?: Error) => void,
): void {
  try {
    assertSessions("fastifySession", sessions);
  } catch (error) {
    return done(error as Error); // Fastify hears of nothing that a plugin throws
  }
  const turns = new WeakMap<FastifyRequest, Turn>();

  function begin(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    return new Promise((begun, failed) => {
      const work = (session: unknown) =>
        new Promise<void>((end, drop) => {
          Object.assign(request, { session });
          turns.set(request, { over, end, drop });
          begun();
        });
      const over: Promise<void> = sessions.wake({ req: request, res: reply }).around(work, { holds: false });
      over.catch(failed);
      closed(reply.raw)
        .then(
          () => end(request),
          async (error) => (await end(request, error)) && Promise.reject(error),
        )
        .catch((error) => request.log.error(error));
    });
  }

  /** Ends a request's turn, by a commit unless there is a failure. Gives whether there was a turn to end. */
  async function end(request: FastifyRequest, failure?: unknown): Promise<boolean> {
    const turn = turns.get(request);
    if (!turn) return false;
    turns.delete(request);
    if (failure === undefined) {
      turn.end();
      await turn.over;
    } else {
      turn.drop(failure);
      await turn.over.catch(() => undefined); // whoever has failed has told of it
    }
    return true;
  }

  // An app that declares what its session is would have to hear `null` first.
  (app.decorateRequest as (name: string, value: null) => unknown)("session", null);
  app.addHook("onRequest", begin);
  app.addHook("onError", async (request, _reply, error) => void (await end(request, error)));
  app.addHook("onSend", async (request, reply, payload) => {
    const turn = turns.get(request);
    if (!turn) return;
    const destroy = () => (payload as { destroy?(): void } | null | undefined)?.destroy?.();
    // A handler that answers and then throws has failed: Fastify has another answer under way by then, and this one never leaves.
    await new Promise((resolve) => setImmediate(resolve));
    if (turns.get(request) !== turn) return new Promise(destroy);
    try {
      await end(request, reply.statusCode >= 500 ? "answered" : undefined);
    } catch (error) {
      // The status and headers of an answer that does not leave are not those of the failure.
      reply.code(SessionError.from(error)?.status ?? 500).removeHeader("location");
      destroy();
      throw error;
    }
  });
  done();
}
// Fastify's marks of a plugin: it is for the app that registers it, and not for a scope of its own.
Object.assign(fastifySession, { [Symbol.for("skip-override")]: true, [Symbol.for("fastify.display-name")]: "catnap" });
