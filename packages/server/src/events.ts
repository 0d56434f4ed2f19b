import type { SessionError } from "@catnap/shared";

/** Something that an operator wants to know and no request can be told. */
export type SessionEvent =
  /**
   * A rotated token was used after its grace: it was stolen, or a copy of the browser's profile is in use. `ended` says
   * whether the session was, as `onReuse` asks.
   */
  | { readonly kind: "reuse"; readonly identifier: string; readonly subject: string | null; readonly ended: boolean }
  /** A page of another origin tried to change something, and was let through: `guard` is `report`. `what`: the tRPC paths, or the URL's. */
  | {
      readonly kind: "cross-site";
      readonly what: string;
      readonly site: string | null;
      readonly origin: string | null;
    }
  /**
   * A session holds a value that the key's schema rejects, and that no `migrate` mends: it is as good as absent, and stays. Told
   * once for each key. `error` says why; what `migrate` has thrown is its `cause`.
   */
  | { readonly kind: "misfit"; readonly key: string; readonly identifier: string; readonly error: SessionError }
  /** Work in the background failed: writing access times, or sweeping. It is tried again. */
  | { readonly kind: "background"; readonly error: unknown };

/** What `report` does by default: a line on standard error. */
export function reportToStandardError(event: SessionEvent): void {
  console.error(`catnap: ${describe(event)}`);
}

/** One line of a log, whatever a client or another program has put into it. */
function describe(event: SessionEvent): string {
  return printable(told(event));
}

/** Without control characters: neither line ends, nor what a terminal would take for a command. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** What a client chose is quoted. */
function told(event: SessionEvent): string {
  switch (event.kind) {
    case "reuse":
      return `a rotated token of session ${event.identifier} was used after its grace${event.ended ? ": the session is ended" : ""}`;
    case "cross-site":
      return `a page of ${JSON.stringify(event.origin ?? event.site)} was let through to ${JSON.stringify(event.what.slice(0, 200))}: guard is "report"`;
    case "misfit":
      return `session ${event.identifier}, and maybe others: ${event.error.message}`;
    case "background":
      return `work in the background failed: ${event.error instanceof Error ? event.error.message : String(event.error)}${causeOf(event.error)}`;
  }
}

/** The code of the error behind an error, such as ECONNREFUSED. Its message is another program's, and may hold anything. */
function causeOf(error: unknown): string {
  let cause = error instanceof Error ? error.cause : undefined;
  for (let depth = 0; depth < 8 && cause instanceof Error; depth++) {
    const { code } = cause as { code?: unknown };
    if (typeof code === "string" && /^[A-Za-z0-9_]{2,40}$/.test(code)) return ` (${code})`;
    cause = cause.cause;
  }
  return "";
}
