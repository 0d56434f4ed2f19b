import {
  type AnyDefinition,
  assertAccess,
  assertPlain,
  type ChangesEvent,
  type ChangesInput,
  homeOf,
  type InputOf,
  type Key,
  keyNamed,
  type NameOf,
  type Push,
  Session,
  SessionError,
  type SessionHome,
  type SyncFailure,
  type SyncSuccess,
  type ValueOf,
  type ValuesOf,
  type WritableNameOf,
} from "@catnap/shared";
import { parseChangesInput, parsePush } from "@catnap/shared/schema";
import type {
  TRPCMutationProcedure,
  TRPCQueryProcedure,
  TRPCSubscriptionProcedure,
  TrackedEnvelope,
} from "@trpc/server";
import { invalid, shown } from "../option-checks.ts";
import { markPush } from "./push-procedures.ts";

/** A session's home on the server, which takes what a browser sends and follows what it wants to hear. */
export interface SyncHome extends SessionHome {
  /** Takes a tab's push along; its answer is there once the changes are committed. */
  push(push: Push): void;
  /** Whether the request came with a cookie of this session, which may have ended. */
  bears(identifier: string): boolean;
  /** The live stream of what changes in the session from here on; it writes nothing. */
  follow(input: ChangesInput, left: AbortSignal | undefined): AsyncIterable<TrackedEnvelope<ChangesEvent>>;
}

/** What the browser may be told of the session itself. Times are epoch milliseconds, the timeout seconds. */
export interface RouterInfo {
  readonly identifier: string;
  readonly isNew: boolean;
  readonly isExpired: boolean;
  readonly numTransactions: number;
  readonly creationTime: number;
  readonly lastAccessTime: number;
  readonly timeout: number;
  readonly subject: string | null;
}

type Query<I, O> = TRPCQueryProcedure<{ input: I; output: O; meta: unknown; errorShape: unknown }>;
type Subscription<I, O> = TRPCSubscriptionProcedure<{ input: I; output: O; meta: unknown; errorShape: unknown }>;
type Mutation<I, O> = TRPCMutationProcedure<{ input: I; output: O; meta: unknown; errorShape: unknown }>;

/** One member per key, so that the value's type follows the key. */
type KeyAndValue<D extends AnyDefinition> = {
  [N in WritableNameOf<D, "browser">]: { key: N; value: InputOf<D, N> };
}[WritableNameOf<D, "browser">];

/** One value, of the type of whichever key was asked for. */
type AnyValue<D extends AnyDefinition> = { [N in NameOf<D, "browser">]: ValueOf<D, N> }[NameOf<D, "browser">];

/**
 * The procedures of `sessions.router`. A `type`, since tRPC takes no interface for a record; written out, so that the
 * app's types cost the same with a thousand keys as with ten.
 */
export type SessionRouterRecord<D extends AnyDefinition> = {
  /** All values that were set and that a browser may read. */
  values: Query<void, ValuesOf<D, "browser">>;
  /** One value, or its default. `NO_SUCH_VALUE` when there is neither. */
  value: Query<{ key: NameOf<D, "browser"> }, AnyValue<D>>;
  /** Writes one value of a `shared` key. */
  setValue: Mutation<KeyAndValue<D>, { ok: true }>;
  /** Removes one value of a `shared` key. */
  delValue: Mutation<{ key: WritableNameOf<D, "browser"> }, { ok: true }>;
  /** Pushes a tab's changes and pulls what changed elsewhere: the protocol of `createSessionClient`. */
  sync: Mutation<unknown, SyncSuccess | SyncFailure>;
  /**
   * Tells what changes in the session as it happens, until it ends: for `createSessionClient({ live: true })`. Resumes
   * after `lastEventId`.
   */
  changes: Subscription<ChangesInput, AsyncIterable<{ id: string; data: ChangesEvent }, void, void>>;
  info: Query<void, RouterInfo>;
  /** Ends the caller's session, if it has that identifier, or is at least so many seconds old. */
  invalidate: Mutation<{ identifier: string } | { age: number }, { ok: true }>;
};

/** The methods of a tRPC procedure builder that the router calls, whatever the builder's own types. */
interface Builder {
  input(parse: (raw: unknown) => unknown): Builder;
  query(resolve: (options: { ctx: Record<string, unknown>; input: never }) => unknown): unknown;
  mutation(resolve: (options: { ctx: Record<string, unknown>; input: never }) => unknown): unknown;
  subscription(
    resolve: (options: { ctx: Record<string, unknown>; input: never; signal: AbortSignal | undefined }) => unknown,
  ): unknown;
}

/** The context that a builder's resolvers get, read off its shape: tRPC's builder types change their arity between minors. */
// biome-ignore-start lint/suspicious/noExplicitAny: inference through somebody else's function types; nothing of these types survives
type ContextOf<P> = P extends { query: (resolve: infer R) => any }
  ? R extends (options: infer O) => any
    ? O extends { ctx: infer C }
      ? C
      : never
    : never
  : never;
// biome-ignore-end lint/suspicious/noExplicitAny: end of that inference

/** `P`, or a type whose name tells what is missing. */
export type SessionProcedure<P, D extends AnyDefinition, K extends string> =
  ContextOf<P> extends { [N in K]: Session<D> }
    ? P
    : { error: "use sessions.middleware on this procedure first"; got: ContextOf<P> };

/** Builds the record on the app's own procedure, so that transformer, error shape and middleware are the app's. */
export function createRouter<D extends AnyDefinition>(
  definition: D,
  contextKey: string,
  procedure: unknown,
  middleware: unknown,
): SessionRouterRecord<D> {
  assertBuilder(procedure);
  const builder = procedure as Builder;
  const sessionOf = (ctx: Record<string, unknown> | undefined) => {
    const session = ctx?.[contextKey];
    if (session instanceof Session) return session;
    throw invalid(
      `ctx.${contextKey} is no session: pass sessions.router({ procedure: t.procedure.use(sessions.middleware) })`,
    );
  };
  const record = {
    values: builder.query(({ ctx }) =>
      Object.fromEntries([...sessionOf(ctx)].filter(([name]) => definition.keys.get(name)?.access !== "secret")),
    ),
    value: builder
      .input((raw) => readable(definition, raw))
      .query(({ ctx, input }: { ctx: Record<string, unknown>; input: Key }) => sessionOf(ctx).value(input.label)),
    setValue: builder
      .input((raw) => {
        const key = writable(definition, raw);
        const { value } = raw as { value?: unknown };
        // The app's transformer may have made any graph of it.
        if (value !== undefined) assertPlain(value, key.label, definition.limits.valueBytes);
        return { key, value };
      })
      .mutation(({ ctx, input }: { ctx: Record<string, unknown>; input: { key: Key; value: unknown } }) => {
        sessionOf(ctx).setValue(input.key.label, input.value);
        return { ok: true };
      }),
    delValue: builder
      .input((raw) => writable(definition, raw))
      .mutation(({ ctx, input }: { ctx: Record<string, unknown>; input: Key }) => {
        sessionOf(ctx).delValue(input.label);
        return { ok: true };
      }),
    sync: builder
      .input(parsePush)
      .mutation(({ ctx, input }: { ctx: Record<string, unknown>; input: ReturnType<typeof parsePush> }) => {
        // The middleware puts the answer in the place of this, once it is committed.
        // A session in the context of this server is one that the middleware has made, and its home a fork.
        (homeOf(sessionOf(ctx)) as SyncHome).push(input);
        return null;
      }),
    changes: builder
      .input(parseChangesInput)
      .subscription(
        ({
          ctx,
          input,
          signal,
        }: {
          ctx: Record<string, unknown>;
          input: ChangesInput;
          signal: AbortSignal | undefined;
        }) => (homeOf(sessionOf(ctx)) as SyncHome).follow(input, signal),
      ),
    info: builder.query(({ ctx }): RouterInfo => {
      const session = sessionOf(ctx);
      return {
        identifier: session.identifier(),
        isNew: session.isNew(),
        isExpired: session.isExpired(),
        numTransactions: session.numTransactions(),
        creationTime: session.creationTime(),
        lastAccessTime: session.lastAccessTime(),
        timeout: session.timeout(),
        subject: session.subject(),
      };
    }),
    invalidate: builder
      .input((raw) => {
        const { identifier, age } = asObject(raw);
        if (typeof identifier === "string" || typeof age === "number") return identifier ?? age;
        throw new SessionError("BAD_PUSH", "invalidate takes { identifier }, the session's own, or { age } in seconds");
      })
      .mutation(async ({ ctx, input }: { ctx: Record<string, unknown>; input: string | number }) => {
        const session = sessionOf(ctx);
        const home = homeOf(session) as SyncHome;
        const isMeant =
          typeof input === "string" ? home.bears(input) : home.now() - session.creationTime() >= input * 1000;
        if (isMeant) await session.invalidate();
        return { ok: true };
      }),
  };
  markPush(record.sync, procedure, middleware);
  // Built through the app's builder, whose types are not ours to name; the tests call every procedure through a typed client.
  return record as unknown as SessionRouterRecord<D>;
}

function assertBuilder(procedure: unknown): void {
  const methods = (procedure ?? {}) as Record<string, unknown>;
  const missing = ["input", "query", "mutation", "subscription"].some((name) => typeof methods[name] !== "function");
  if (!missing) return;
  throw invalid(
    `sessions.router: procedure is ${shown(procedure)} that no procedure can be built on: pass { procedure: t.procedure.use(sessions.middleware) }`,
  );
}

function asObject(raw: unknown): Record<string, unknown> {
  return typeof raw === "object" && raw !== null ? (raw as Record<string, unknown>) : {};
}

function readable(definition: AnyDefinition, raw: unknown): Key {
  const { key: name } = asObject(raw);
  const key = typeof name === "string" ? keyNamed(definition, name) : undefined;
  if (!key) {
    const named = typeof name === "string" ? { key: name.slice(0, 80) } : {};
    throw new SessionError("UNKNOWN_KEY", "The definition has no such key: pass { key } with one of its names", named);
  }
  assertAccess(key, false);
  return key;
}

function writable(definition: AnyDefinition, raw: unknown): Key {
  const key = readable(definition, raw);
  assertAccess(key, true);
  return key;
}
