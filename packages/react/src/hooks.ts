import type { ClientSession, Status } from "@catnap/client";
import type { AnyDefinition, InputOf, NameOf, ValueOf, WritableNameOf } from "@catnap/shared";
import { useCallback, useSyncExternalStore } from "react";
import { useSession } from "./provider.tsx";
import type { Registered } from "./register.ts";

/** What `useSessionValue` gives: the value, `undefined` only for a key without a default, and what sets it. */
export type SessionValue<D extends AnyDefinition, K extends NameOf<D, "browser">> = readonly [
  value: undefined extends InputOf<D, K> ? ValueOf<D, K> : ValueOf<D, K> | undefined,
  setValue: K extends WritableNameOf<D, "browser">
    ? (next: InputOf<D, K> | ((current: ValueOf<D, K>) => InputOf<D, K>)) => void
    : never,
];

/**
 * One value of the session and what sets it: a value, or a function of the current one. The component renders again
 * only when this value changes. Absent: the schema's default, else `undefined`.
 */
export function useSessionValue<K extends NameOf<Registered, "browser">>(name: K): SessionValue<Registered, K> {
  const session: ClientSession = useSession();
  const value = useSyncExternalStore(
    useCallback((listener) => session.subscribe(name, listener), [session, name]),
    () => session.peek(name),
    () => session.initial(name),
  );
  const setValue = useCallback(
    (next: unknown) => {
      if (typeof next === "function") session.update(name, next as (current: unknown) => unknown);
      else session.setValue(name, next);
    },
    [session, name],
  );
  // Typed by the key; for a key that the browser cannot write the setter is `never`, and throws when called all the same.
  return [value, setValue] as unknown as SessionValue<Registered, K>;
}

/** Whether changes wait, and for what. On the server and while hydrating: asleep. */
export function useSessionStatus(): Status {
  const session: ClientSession = useSession();
  return useSyncExternalStore(
    useCallback((listener) => session.subscribeStatus(listener), [session]),
    () => session.status(),
    () => asleep,
  );
}

const asleep: Status = { state: "asleep", pending: 0, storage: "opening" };
