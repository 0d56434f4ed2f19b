import type { SessionStore } from "@catnap/server";
import { SessionError } from "@catnap/shared";
import { assertStore, invalid } from "./checks.ts";

/** A call to a store, before it happens. */
export interface StoreCall {
  readonly method: Exclude<keyof SessionStore, "watch" | "recall">;
  readonly arguments: readonly unknown[];
  /** How many calls this store has had before, of any method. */
  readonly index: number;
}

/**
 * What becomes of a call. `pass`: nothing. `fail-before`: it rejects and the store never hears of it. `fail-after`: the
 * store does it, and the caller is told that it failed, as when a connection is lost while the answer is on its way.
 * `until` holds the call back (or, `fail-after` and `delay-after`, its answer) until the promise resolves.
 */
export type Fault =
  | { readonly kind: "pass" }
  | { readonly kind: "fail-before" | "fail-after"; readonly error?: Error; readonly until?: Promise<unknown> }
  | { readonly kind: "delay-before" | "delay-after"; readonly until: Promise<unknown> };

/**
 * Wraps a store so that `decide` settles each call's fate; `undefined` lets it pass. Nothing in here is random, so a test
 * that fails can be run again. Without an `error` of its own a fault is a `STORE_UNAVAILABLE`. `watch` and `recall` are
 * passed through. Throws `INVALID_OPTION` for what is no store or no function, and a call does so for a fault that is none.
 */
export function faultStore(store: SessionStore, decide: (call: StoreCall) => Fault | undefined): SessionStore {
  assertStore("faultStore: the first argument", store);
  if (typeof decide !== "function")
    throw invalid("faultStore: the second argument is no function: give one that decides");
  let calls = 0;

  async function through<T>(method: StoreCall["method"], args: readonly unknown[], call: () => Promise<T>): Promise<T> {
    const fault = decide({ method, arguments: args, index: calls++ }) ?? { kind: "pass" };
    switch (fault.kind) {
      case "pass":
        return call();
      case "delay-before":
        await fault.until;
        return call();
      case "delay-after": {
        const answer = await call();
        await fault.until;
        return answer;
      }
      case "fail-before":
        await fault.until;
        throw fault.error ?? unreachable(method);
      case "fail-after":
        await call();
        await fault.until;
        throw fault.error ?? unreachable(method);
      default:
        throw invalid(`faultStore: the fault of this ${method} is none: give a kind of pass, fail-… or delay-…`);
    }
  }

  const { watch, lease, recall, confirms } = store;
  return {
    read: (key) => through("read", [key], () => store.read(key)),
    write: (key, commit) => through("write", [key, commit], () => store.write(key, commit)),
    touch: (touches) => through("touch", [touches], () => store.touch(touches)),
    delete: (key, ifExpiredAt) => through("delete", [key, ifExpiredAt], () => store.delete(key, ifExpiredAt)),
    find: (query) => through("find", [query], () => store.find(query)),
    sweep: (now, limit) => through("sweep", [now, limit], () => store.sweep(now, limit)),
    ...(watch === undefined ? {} : { watch: (key, listener) => watch.call(store, key, listener) }),
    ...(recall === undefined ? {} : { recall: (key) => recall.call(store, key) }),
    ...(lease === undefined ? {} : { lease: (...args) => through("lease", args, () => lease.call(store, ...args)) }),
    ...(confirms === undefined ? {} : { confirms }),
    close: () => through("close", [], () => store.close()),
  };
}

function unreachable(method: string): SessionError {
  return new SessionError("STORE_UNAVAILABLE", `faultStore was told to fail this ${method}`);
}
