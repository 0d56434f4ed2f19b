import type { ServerResponse } from "node:http";
import { after, SessionError } from "@catnap/shared";

/** For so long a handler may go on whose visitor has left, in milliseconds. */
const graceMs = 60_000;

/**
 * Resolves when the response has been answered and is over. Rejects with `SESSION_CLOSED` when its visitor has left, and no
 * answer came for a minute after that: whoever listens to nobody's request would keep its session for ever.
 */
export function closed(res: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      if (res.writableEnded) resolve();
      else
        reject(
          new SessionError(
            "SESSION_CLOSED",
            `The visitor has left, and no answer came in ${graceMs / 1000} s after that: what this request changed is dropped. Answer every request, or save() before a long wait`,
          ),
        );
    };
    const left = () => (res.writableEnded ? resolve() : void after(graceMs, settle, true));
    if (res.closed) left();
    else res.once("close", left);
  });
}
