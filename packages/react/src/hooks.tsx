import type { ClientSession, Status } from "@catnap/client";
import {
  type AnyDefinition,
  development,
  type InputOf,
  type NameOf,
  type ReadonlyKey,
  SessionError,
  type SessionSnapshot,
  type ValueOf,
  type WritableNameOf,
} from "@catnap/shared";
import * as React from "react";

/** Written out where it is asked for: bundlers replace it in the text. */
declare const process: { env: { NODE_ENV?: string } };

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
   * The state that the server renders with, on both sides. Another one, which a navigation or a server action brings, shows
   * when it is newer; of another session, after the server has been asked. On the server `client` may be one for all requests:
   * it is left as it is.
   */
  initialSnapshot?: SessionSnapshot;
  children?: React.ReactNode;
}

/** The provider and the hooks of one definition. */
export interface SessionBindings<D extends AnyDefinition> {
  /** Hands the tab's session to the hooks below it, and awakes it when the page has been shown. */
  readonly SessionProvider: (props: SessionProviderProps<D>) => React.ReactNode;
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
  const SessionContext = React.createContext<ClientSession<D> | null>(null);

  function useSession(): ClientSession<D> {
    const session = React.useContext(SessionContext);
    if (development && process.env.NODE_ENV !== "production")
      if (!session) throw new SessionError("INVALID_OPTION", "useSession needs SessionProvider above");
    // Without a provider the app fails in development, where it is told why.
    return session as ClientSession<D>;
  }

  return {
    SessionProvider({ client, initialSnapshot, children }) {
      if (development && process.env.NODE_ENV !== "production")
        if (!client)
          throw new SessionError("INVALID_OPTION", "SessionProvider needs client: what createSessionClient gives");
      // Before the children render for the first time: their first output must be the server's. On the server, the requests
      // share `client`, and each has a session of its own.
      // biome-ignore lint/correctness/useExhaustiveDependencies: a later snapshot is taken in by an effect
      const session = React.useMemo(() => (initialSnapshot ? client.showing(initialSnapshot) : client), [client]);
      React.useEffect(() => {
        if (initialSnapshot) client.hydrate(initialSnapshot);
      }, [client, initialSnapshot]);
      React.useEffect(() => {
        void client.awake();
      }, [client]);
      return React.createElement(SessionContext.Provider, { value: session }, children);
    },
    useSession,
    useSessionValue<K extends NameOf<D, "browser">>(name: K) {
      // As a session of any definition: the hook's own type holds the caller to this one's names and values.
      const session = useSession() as unknown as ClientSession;
      const value = useStore(session, name, () => session.peek(name), session.initial(name));
      const setValue = React.useMemo(
        () => (next: unknown) => {
          session[typeof next === "function" ? "update" : "setValue"](name, next as never);
        },
        [session, name],
      );
      return [value, setValue] as unknown as SessionValue<D, K>;
    },
    // No key has this name: it is the status's.
    useSessionStatus: () =>
      useStore(useSession() as unknown as ClientSession, "", (session) => session.status(), asleep),
  };
}

/**
 * What `get` gives, and a render whenever that changes; while hydrating what `initial` gives. An update of
 * `useSyncExternalStore` is always synchronous, and a synchronous one replaces the server's HTML of a part whose code has not
 * arrived by its fallback. So what is news is a transition, and what the page itself does is not: a field would lose its caret.
 */
function useStore<T>(session: ClientSession, name: string, get: (session: ClientSession) => T, initial: T): T {
  let value = get(session);
  // React asks for the server's snapshot on a server and while it hydrates, and only then.
  React.useSyncExternalStore(nothing, nothing, () => {
    value = initial;
  });
  const [, render] = React.useState({});
  // biome-ignore lint/correctness/useExhaustiveDependencies: `get` is of the session and the name
  React.useEffect(() => {
    const show = () => render({});
    const hear = (news: boolean) => (news ? React.startTransition(show) : show());
    if (get(session) !== value) hear(true);
    return session.subscribe(name, hear);
  }, [session, name]);
  return value;
}

/** A store that never changes. */
const nothing = (): never => undefined as never;
const asleep: Status = { state: "asleep", pending: 0, storage: "opening" };
