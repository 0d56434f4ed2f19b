import type { StandardSchemaV1 } from "@standard-schema/spec";
import { fnv } from "./checksum.ts";
import { byteLength, decode, encode } from "./codec.ts";
import { checkDefinition } from "./definition-checks.ts";
import { development } from "./development.ts";
import type { Merge } from "./merge.ts";
import { refusal, type SessionError, type SessionIssue } from "./session-error.ts";

/** Who may touch a key from the browser: `shared` reads and writes, `readonly` reads, `secret` neither. */
export type Access = "shared" | "readonly" | "secret";

/** A schema together with how its values merge and where they may rest; made by `value` and `counter`. */
export interface ValueDeclaration<S extends StandardSchemaV1 = StandardSchemaV1> {
  readonly schema: S;
  /** Of the schema's own type, which `value` has checked; declared so that every declaration is one of the general kind. */
  readonly merge?: ((base: never, mine: never, theirs: never) => unknown) | undefined;
  readonly disk?: boolean;
  readonly adopt?: boolean;
}

/** Keys and their schemas, bare or declared with `value` or `counter`. */
export type Shape = Readonly<Record<string, StandardSchemaV1 | ValueDeclaration>>;

/** How large a session may grow, in bytes of its encoded values (UTF-8). */
export interface Limits {
  /** One value; default 131,072. */
  readonly valueBytes: number;
  /** All values of a session together; default 1,048,576. */
  readonly sessionBytes: number;
}

/** One declared key, ready to use at run time. */
export interface Key {
  readonly name: string;
  readonly access: Access;
  readonly merge: Merge<unknown> | undefined;
  /** Whether a browser may keep it in IndexedDB. */
  readonly disk: boolean;
  /** Whether the browser takes its value along when its session expires. */
  readonly adopt: boolean;
  /** Validates a value; throws `INVALID_VALUE` with the schema's issues, or `LIMIT_EXCEEDED`. Gives the schema's output, encoded. */
  encode(value: unknown): string;
  /** A fresh copy of the schema's default, or `undefined` when it has none. */
  fallback(): unknown;
}

/**
 * The typed declaration of a session's values, shared by both sides. Made by `defineSession`; its type parameters are
 * the three groups of keys.
 */
export interface Definition<
  Shared extends Shape = Shape,
  Readonly extends Shape = Shape,
  Secret extends Shape = Shape,
> {
  /** Tells apps apart that share a host or a store. */
  readonly name: string;
  /** What `defineSession` was given, for the checks of `createSessions`. */
  readonly declared: unknown;
  readonly keys: ReadonlyMap<string, Key>;
  readonly limits: Limits;
  /** Changes when the names, the groups, the merges or the places of the keys do: a cache made under another is not trusted. */
  readonly fingerprint: string;
  /** Types only; absent at run time. */
  readonly "~types"?: { readonly shared: Shared; readonly readonly: Readonly; readonly secret: Secret };
}

// `any` alone lets every definition be assigned; the type is used as a constraint, never for a value.
// biome-ignore lint/suspicious/noExplicitAny: see the line above
export type AnyDefinition = Definition<any, any, any>;

/**
 * Declares a value with options. `merge` joins concurrent changes instead of letting the last one win. `disk: false` keeps
 * it out of the browser's IndexedDB, for what shared computers should not remember: it is in memory alone, so a change that
 * has not reached the server dies with its tab. `adopt: true` lets a browser that was away for longer than the session's
 * timeout go on showing the value, and take it along into the session that follows an expired one: for a cart, a theme or a
 * draft, never for what is somebody's own. It is for `shared` keys that rest on disk. A bare schema in
 * `defineSession` is a value without options.
 */
export function value<S extends StandardSchemaV1>(
  schema: S,
  options?: { merge?: Merge<StandardSchemaV1.InferOutput<S>>; disk?: boolean; adopt?: boolean },
): ValueDeclaration<S> {
  // What the options hold besides, `checkDefinition` refuses with the key's name.
  return { ...options, schema };
}

/** What `counter` gives. An interface, so that the declarations of an app can name it. */
export interface Counter extends ValueDeclaration<StandardSchemaV1<number | undefined, number>> {}

/** Declares a number that starts at 0 and of which every concurrent change counts: two tabs that add 1 make 2. */
export function counter(): Counter {
  return { schema: finiteNumber, merge: (base, mine, theirs) => theirs + (mine - (base ?? 0)) };
}

const finiteNumber: StandardSchemaV1<number | undefined, number> = {
  "~standard": {
    version: 1,
    vendor: "catnap",
    validate: (input = 0) =>
      Number.isFinite(input)
        ? { value: input as number }
        : { issues: [{ message: "a counter takes a finite number" }] },
  },
};

const accesses = ["shared", "readonly", "secret"] as const;
const defaultLimits: Limits = { valueBytes: 131_072, sessionBytes: 1_048_576 };

/** Written out where it is asked for: bundlers replace it in the text. */
declare const process: { env: { NODE_ENV?: string } };

/**
 * Declares what a session holds, once for both sides. `shared` keys: the browser reads and writes. `readonly`: the
 * browser reads, the server writes. `secret`: never leaves the server. Schemas are those of any library that speaks
 * Standard Schema (zod is the documented one); they validate synchronously and accept what they put out.
 *
 * `name` tells apps apart that share a host or a store, whose sessions are then not each other's; default `catnap`. A
 * session belongs to the name that it was made under.
 *
 * Throws `INVALID_DEFINITION` for a key or a name that is not 1 to 64 letters, digits, `_`, `-` starting with a letter, for
 * a key that is taken twice, for something that is no schema, for a group or a limit of another name, for limits that are no
 * positive whole numbers, and for options of `value` that do not exist or can never work. In production (`NODE_ENV`)
 * `createSessions` throws it instead: a definition that a server has accepted costs its browsers no bytes for that.
 */
export function defineSession<
  const Shared extends Shape = Record<never, never>,
  const Readonly extends Shape = Record<never, never>,
  const Secret extends Shape = Record<never, never>,
>(groups: {
  name?: string;
  shared?: Shared;
  readonly?: Readonly;
  secret?: Secret;
  limits?: Partial<Limits>;
}): Definition<Shared, Readonly, Secret> {
  if (development && process.env.NODE_ENV !== "production") checkDefinition(groups);
  // In production, where `createSessions` checks, they may still be nothing at all.
  const limits: Limits = { ...defaultLimits, ...groups?.limits };
  const keys = new Map<string, Key>();
  const described: string[] = [];
  for (const access of accesses) {
    for (const [name, declared] of Object.entries(groups?.[access] ?? {})) {
      const key = createKey(name, access, declared, limits);
      keys.set(name, key);
      described.push(`${name}:${access}:${key.merge ? "m" : ""}${key.disk ? "" : "d"}`);
    }
  }
  // Tells definitions apart, protects nothing.
  const fingerprint = (fnv(described.sort().join()) >>> 0).toString(36);
  return { name: groups?.name ?? "catnap", declared: groups, keys, limits, fingerprint };
}

function createKey(name: string, access: Access, declared: Shape[string], limits: Limits): Key {
  // What a caller without types declares may be anything, and nothing at all.
  const given = (declared ?? {}) as Partial<StandardSchemaV1 & ValueDeclaration>;
  // A bare schema may have a `merge` of its own.
  const {
    schema,
    merge,
    disk = true,
    adopt = false,
  } = given["~standard"] ? ({ schema: given } as typeof given) : given;
  // `checkDefinition` sees that there is a schema.
  const standard = schema?.["~standard"] as StandardSchemaV1["~standard"];
  const check = (input: unknown) => {
    const result = standard.validate(input);
    if (result instanceof Promise) {
      // zod turns to its asynchronous way when the stack is exhausted, and its promise rejects with nobody to hear it.
      result.catch(() => undefined);
      throw refusal("INVALID_DEFINITION", name, "has a schema that is asynchronous, or a value too deep for it");
    }
    return result;
  };
  return {
    name,
    access,
    // `value` has tied the merge to the schema, whose outputs are all that it is ever given.
    merge: merge as Merge<unknown> | undefined,
    disk,
    adopt,
    encode(input) {
      const result = check(input);
      if (result.issues) throw rejected(name, access, result.issues);
      if (result.value === undefined) {
        throw refusal("INVALID_VALUE", name, `cannot be undefined: call delValue("${name}")`);
      }
      const { valueBytes } = limits;
      const encoded = encode(result.value, name, valueBytes);
      const bytes = encoded.length * 3 > valueBytes ? byteLength(encoded) : 0;
      if (bytes > valueBytes) {
        throw refusal(
          "LIMIT_EXCEEDED",
          name,
          `takes ${bytes} bytes, more than limits.valueBytes (${valueBytes}): split it, or raise the limit in defineSession`,
        );
      }
      return encoded;
    },
    fallback() {
      const result = check(undefined);
      if (result.issues || result.value === undefined) return undefined;
      // A copy: schema libraries hand out the default's inner objects themselves, which two sessions must not share.
      return decode(encode(result.value, name), name);
    },
  };
}

function rejected(key: string, access: Access, found: readonly StandardSchemaV1.Issue[]): SessionError {
  // A schema's own words may quote the value, so those about a secret stay unsaid.
  const issues: SessionIssue[] = (access === "secret" ? [] : found).map(({ message, path }) => ({
    message,
    ...(path && { path: path.map(pathStep) }),
  }));
  const [first] = issues;
  const where = first?.path?.length ? ` at ${first.path.join(".")}` : "";
  return refusal("INVALID_VALUE", key, `rejects the value${where}: ${first?.message ?? "see its schema"}`, {
    issues: first && issues,
  });
}

function pathStep(step: PropertyKey | StandardSchemaV1.PathSegment): string | number {
  const key = (step as StandardSchemaV1.PathSegment).key ?? step;
  return typeof key === "symbol" ? String(key) : key;
}
