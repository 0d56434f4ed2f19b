import { type Answer, type Push, SessionError } from "@catnap/shared";
import type { Operation } from "@trpc/client";
import { call } from "../replica/listeners.ts";
import { hasNoHome, statusOf } from "../sync/transport.ts";
import type { LinkedTab } from "./linked-tab.ts";

/** What tRPC's links tell of an HTTP answer, with a result or with an error: `responseJSON` is the whole batch's. */
export type Meta = { readonly response?: unknown; readonly responseJSON?: unknown } | undefined;

/** What a link calls back. */
export interface Observer {
  next?(value: { readonly result: unknown; readonly context?: Meta }): void;
  error?(error: unknown): void;
  complete?(): void;
}

/** The rest of the app's links. */
export type Next = (op: Operation) => { subscribe(observer: Observer): { unsubscribe(): void } };

/** A push that calls of the app follow in the same batch. */
export interface Ride {
  /** The response that had the push's answer: a call of the same request has the same. */
  response: unknown;
  /** The server has decided all of the push, or there is no session any more in which it could. */
  decided: boolean;
}

/** A call of the app that waits until what was written before it is home. */
export interface Waiting {
  readonly op: Operation;
  readonly next: Next;
  /** Sends it now, right behind the push. */
  follow(ride: Ride): void;
}

/** tRPC's clients count their calls from 1. */
let id = 1_000_000_000;

/** Sends the session's push through the app's links when calls wait for it, so that a link that batches puts them into one request. */
export class Piggyback {
  readonly #waiting = new Set<Waiting>();
  /** Paths of calls that went another way than the push. */
  readonly #alone = new Set<string>();

  add(waiting: Waiting, linked: LinkedTab): void {
    this.#waiting.add(waiting);
    linked.transport.via = (push) => this.#carry(push, linked);
  }

  delete(waiting: Waiting): void {
    this.#waiting.delete(waiting);
  }

  /** The call went in another request than the push, and may have missed it: it follows no push any more. */
  strayed(path: string): void {
    this.#alone.add(path);
    const remedy = "put a sessionLink into each branch of the splitLink, raise maxItems, or go over HTTP";
    const message = `"${path}" left without the changes before it: ${remedy}`;
    call(() => {
      throw new SessionError("INVALID_OPTION", message);
    });
  }

  /** The answer to a push that goes through the app's links; `undefined`: it goes the session's own way. */
  #carry(push: Push, { replica, procedures, transport }: LinkedTab): Promise<Answer> | undefined {
    const [first, ...others] = [...this.#waiting].filter(({ op }) => this.#mayFollow(op));
    const sent = new Set(push.ops.map(({ seq }) => seq));
    // Another push comes after this one.
    if (!first || [...replica.outbox.own.keys()].some((seq) => !sent.has(seq))) return undefined;
    // Links that look at a call's context may send calls with different ones different ways.
    const alike = others.filter(({ op }) => isBare(op) && isBare(first.op));
    return new Promise((resolve, reject) => {
      const ride: Ride = { response: undefined, decided: false };
      let left = false;
      const input = {
        ...push,
        /** Read when the request's body is made: by a link that does not batch, before `subscribe` returns. */
        get protocol() {
          left = true;
          return push.protocol;
        },
      };
      const context = { ...first.op.context };
      first.next({ id: id++, type: "mutation", path: `${procedures}sync`, input, context, signal: null }).subscribe({
        next({ result, context: meta }) {
          // The procedure is our own router's.
          const { data: answer } = result as { data: Answer };
          ride.response = meta?.response;
          ride.decided = answer.ok ? answer.acked >= push.upTo : hasNoHome(answer.code);
          // A stream can make no session: its headers, and with them the cookie, have left.
          resolve(!answer.ok && answer.code === "HEADERS_SENT" ? transport.send(push) : answer);
        },
        error(error) {
          ride.response = (error as { meta?: Meta }).meta?.response;
          // The calls beside it may be what is too large.
          if (statusOf(error) === 413) resolve(transport.send(push));
          else reject(error);
        },
      });
      if (!left) for (const waiting of [first, ...alike]) waiting.follow(ride);
    });
  }

  /** A FormData, a Blob or bytes go another way than what is batched. */
  #mayFollow({ path, input }: Operation): boolean {
    return !this.#alone.has(path) && !(Symbol.toStringTag in Object(input));
  }
}

const isBare = ({ context }: Operation) => Object.keys(context).length === 0;
