import type { ServerResponse } from "node:http";
import { beforeHead } from "./before-head.ts";
import { keptPrivate, variedByCookie } from "./caching.ts";
import { HeldResponse } from "./held-response.ts";

/**
 * The head of a Node response. What the session wants there is put in as it leaves, since tRPC's adapters and applications
 * set headers anew until then.
 */
export class NodeHead {
  readonly #response: ServerResponse;
  readonly #cookies: string[] = [];
  #held: HeldResponse | undefined;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  /** Adds a `Set-Cookie` header to those of others. */
  addCookie(cookie: string): void {
    const first = this.#cookies.length === 0;
    this.#cookies.push(cookie);
    if (!first) return;
    this.#atHead((response) => {
      const others = response.getHeader("set-cookie");
      response.setHeader("set-cookie", [
        ...(Array.isArray(others) ? others : others === undefined ? [] : [String(others)]),
        ...this.#cookies,
      ]);
    });
  }

  /** Tells caches that the response is this visitor's alone, whatever the application has told them. */
  keepPrivate(): void {
    if (this.#response.headersSent) return;
    this.#atHead((response) => {
      response.setHeader("cache-control", keptPrivate(textOf(response.getHeader("cache-control"))));
      response.setHeader("vary", variedByCookie(textOf(response.getHeader("vary"))));
    });
  }

  hold(): HeldResponse {
    this.#held ??= new HeldResponse(this.#response);
    return this.#held;
  }

  /** A held answer has no head before it is released. */
  #atHead(change: (response: ServerResponse) => void): void {
    const listen = () => beforeHead(this.#response, () => change(this.#response));
    if (this.#held?.isHolding) this.#held.beforeRelease(listen);
    else listen();
  }
}

const textOf = (header: number | string | string[] | undefined) =>
  Array.isArray(header) ? header.join(", ") : String(header ?? "");
