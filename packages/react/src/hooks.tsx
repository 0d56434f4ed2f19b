import type { ClientSession, Status } from "@catnap/client";
import {
  type AnyDefinition,
  type InputOf,
  type NameOf,
  type ReadonlyKey,
  SessionError,
  type SessionSnapshot,
  type ValueOf,
  type WritableNameOf,
} from "@catnap/shared";
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useState,
  useSyncExternalStore,
} from "react";

/** What `useSessionValue` gives: the value, `undefined` only for a key without a default, and what sets it. */
export type SessionValue<D extends AnyDefinition, K extends NameOf<D, "browser">> = readonly [
  value: undefined extends InputOf<D, K> ? ValueOf<D, K> : ValueOf<D, K> | undefined,
  /** For a `readonly` key nothing that can be called, which throws `FORBIDDEN_KEY` when it is called all the same. */
  setValue: K extends WritableNameOf<D, "browser">
    ? (next: InputOf<D, K> | ((current: ValueOf<D, K>) => InputOf<D, K>)) => void
    : { readonly error: ReadonlyKey<K> },
];

/** What `SessionProvider` takes. */
export interface SessionProviderProps<D extends AnyDefinition> {
  client: ClientSession<D>;
  /**
   * The state that the server renders with, on both sides. Read at the first render only. On the server `client` may be one
   * for all requests: it is left as it is.
   */
  initialSnapshot?: SessionSnapshot;
  children?: ReactNode;
}

/** The provider and the hooks of one definition. */
export interface SessionBindings<D extends AnyDefinition> {
  /** Hands the tab's session to the hooks below it, and awakes it when the page has been shown. */
  readonly SessionProvider: (props: SessionProviderProps<D>) => ReactNode;
  /** The session of the nearest `SessionProvider`. Throws without one. */
  readonly useSession: () => ClientSession<D>;
  /**
   * One value of the session and what sets it: a value, or a function of the current one. The component renders again
   * only when this value changes. Absent: the schema's default, else `undefined`.
   */
  readonly useSessionValue: <K extends NameOf<D, "browser">>(name: K) => SessionValue<D, K>;
  /** Whether changes wait, and for what. On the server and while hydrating: asleep. */
  readonly useSessionStatus: () => Status;
}

/**
 * Makes a provider and hooks for one definition: `createSessionHooks<typeof shop>()`. For a program with two sessions, whose
 * providers may then stand in one tree, and for a package that must not register its definition for the whole program.
 */
export function createSessionHooks<D extends AnyDefinition>(): SessionBindings<D> {
  const SessionContext = createContext<ClientSession<D> | null>(null);

  function useSession(): ClientSession<D> {
    const session = useContext(SessionContext);
    if (!session) throw new SessionError("INVALID_OPTION", "useSession needs SessionProvider above");
    return session;
  }

  return {
    SessionProvider({ client, initialSnapshot, children }) {
      // Before the children render for the first time: their first output must be the server's. On the server, the requests
      // share `client`, and each has a session of its own.
      const [own] = useState(
        () =>
          initialSnapshot &&
          (typeof document === "undefined" ? client.showing(initialSnapshot) : client.hydrate(initialSnapshot)),
      );
      useEffect(() => {
        void client.awake();
      }, [client]);
      return <SessionContext.Provider value={own ?? client}>{children}</SessionContext.Provider>;
    },
    useSession,
    useSessionValue<K extends NameOf<D, "browser">>(name: K) {
      // As a session of any definition: the hook's own type holds the caller to this one's names and values.
      const session = useSession() as unknown as ClientSession;
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
      return [value, setValue] as unknown as SessionValue<D, K>;
    },
    useSessionStatus() {
      const session = useSession();
      return useSyncExternalStore(
        useCallback((listener) => session.subscribeStatus(listener), [session]),
        () => session.status(),
        () => asleep,
      );
    },
  };
}

const asleep: Status = { state: "asleep", pending: 0, storage: "opening" };
