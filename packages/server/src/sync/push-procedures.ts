/** By `sync` procedure, whether nothing of the app's runs between the session's middleware and it. */
const pushes = new WeakMap<WeakKey, boolean>();

/** Notes that a procedure is the `sync` of a session router, which was built on `base`, behind the session's `middleware`. */
export function markPush(sync: unknown, base: unknown, middleware: unknown): void {
  // Of another builder than tRPC's of today nothing is known.
  const { middlewares } = (base as { _def?: { middlewares?: readonly unknown[] } })._def ?? {};
  pushes.set(sync as WeakKey, middlewares?.at(-1) === middleware); // a procedure is a function
}

/** Whether a procedure is the `sync` of a session router. */
export function isPush(procedure: unknown): boolean {
  return typeof procedure === "function" && pushes.has(procedure);
}

/** Whether a procedure is the `sync` of a session router, and no middleware of the app's sees the session before it. */
export function isBarePush(procedure: unknown): boolean {
  return typeof procedure === "function" && pushes.get(procedure) === true;
}
