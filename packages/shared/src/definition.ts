import type { StandardSchemaV1 } from "@standard-schema/spec";
import { fnv } from "./checksum.ts";
import { byteLength, decode, encode } from "./codec.ts";
import type { Merge } from "./merge.ts";
import { SessionError, type SessionIssue } from "./session-error.ts";

/** Who may touch a key from the browser: `shared` reads and writes, `readonly` reads, `secret` neither. */
export type Access = "shared" | "readonly" | "secret";

/** A schema together with how its values merge and where they may rest; made by `value` and `counter`. */
export interface ValueDeclaration<S extends StandardSchemaV1 = StandardSchemaV1> {
  readonly schema: S;
  /** Of the schema's own type, which `value` has checked; declared so that every declaration is one of the general kind. */
  readonly merge?: ((base: never, mine: never, theirs: never) => unknown) | undefined;
  readonly disk?: boolean;
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
  /** As the app wrote it, for the checks that only the server makes. */
  readonly declared: unknown;
  readonly merge: Merge<unknown> | undefined;
  /** Whether a browser may keep it in IndexedDB. */
  readonly disk: boolean;
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
 * has not reached the server dies with its tab. A bare schema in `defineSession` is a value without options.
 */
export function value<S extends StandardSchemaV1>(
  schema: S,
  options?: { merge?: Merge<StandardSchemaV1.InferOutput<S>>; disk?: boolean },
): ValueDeclaration<S> {
  // What the options hold besides, `createSessions` refuses with the key's name.
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
    validate: (input) => {
      if (input === undefined) return { value: 0 };
      if (typeof input === "number" && Number.isFinite(input)) return { value: input };
      return { issues: [{ message: "a counter takes a finite number" }] };
    },
  },
};

const accesses = ["shared", "readonly", "secret"] as const;
const members: readonly string[] = [...accesses, "name", "limits"];
const defaultLimits: Limits = { valueBytes: 131_072, sessionBytes: 1_048_576 };

const namePattern = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

/**
 * Declares what a session holds, once for both sides. `shared` keys: the browser reads and writes. `readonly`: the
 * browser reads, the server writes. `secret`: never leaves the server. Schemas are those of any library that speaks
 * Standard Schema (zod is the documented one); they validate synchronously and accept what they put out.
 *
 * `name` tells apps apart that share a host or a store, whose sessions are then not each other's; default `catnap`. A
 * session belongs to the name that it was made under.
 *
 * Throws `INVALID_DEFINITION` for a key or a name that is not 1 to 64 letters, digits, `_`, `-` starting with a letter, for
 * a key that is taken twice, for something that is no schema, for a group or a limit of another name, and for limits that
 * are no positive whole numbers. What `value` was given is checked further by `createSessions`.
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
  for (const name of Object.keys(groups ?? { nothing: 0 })) {
    if (!members.includes(name)) throw invalid(`defineSession takes ${members.join(", ")}, not "${name}"`);
  }
  const limits: Limits = { ...defaultLimits, ...groups.limits };
  for (const [name, bytes] of Object.entries(limits)) {
    if (!(name in defaultLimits && Number.isSafeInteger(bytes) && bytes > 0)) {
      throw invalid(`limits.${name} is ${bytes}: give valueBytes and sessionBytes, whole numbers above 0`);
    }
  }
  const { name: app = "catnap" } = groups;
  assertName(app);
  const keys = new Map<string, Key>();
  for (const access of accesses) {
    for (const [name, declared] of Object.entries(groups[access] ?? {})) {
      assertName(name);
      if (keys.has(name)) throw invalid(`"${name}" is declared twice: keep one`, name);
      keys.set(name, createKey(name, access, declared, limits));
    }
  }
  const described = [...keys.values()].map(
    ({ name, access, merge, disk }) => `${name}:${access}:${merge ? "m" : ""}${disk ? "" : "d"}`,
  );
  return { name: app, keys, limits, fingerprint: fingerprint(described.sort().join()) };
}

function assertName(name: string): void {
  if (namePattern.test(name)) return;
  throw invalid(`"${name}" is no name: use a letter, then at most 63 letters, digits, "_" or "-"`, name);
}

function createKey(name: string, access: Access, declared: Shape[string], limits: Limits): Key {
  // What a caller without types declares may be anything, and nothing at all.
  const given = (declared ?? {}) as Partial<StandardSchemaV1 & ValueDeclaration>;
  // A bare schema may have a `merge` of its own.
  const { schema, merge, disk = true } = given["~standard"] ? ({} as typeof given) : given;
  const ask = ((schema ?? given) as Partial<StandardSchemaV1>)["~standard"]?.validate;
  if (typeof ask !== "function") {
    throw invalid(`"${name}" has no schema: give one of Standard Schema, such as z.string()`, name);
  }
  const check = (input: unknown) => {
    const result = ask(input);
    if (result instanceof Promise) {
      // zod turns to its asynchronous way when the stack is exhausted, and its promise rejects with nobody to hear it.
      result.catch(() => undefined);
      throw invalid(`The schema of "${name}" is asynchronous, or its value too deep`, name);
    }
    return result;
  };
  return {
    name,
    access,
    declared,
    // `value` has tied the merge to the schema, whose outputs are all that it is ever given.
    merge: merge as Merge<unknown> | undefined,
    disk,
    encode(input) {
      const result = check(input);
      if (result.issues) throw rejected(name, access, result.issues);
      if (result.value === undefined) {
        throw new SessionError("INVALID_VALUE", `"${name}" cannot be undefined: call delValue("${name}")`, {
          key: name,
        });
      }
      const encoded = encode(result.value, name, limits.valueBytes);
      if (encoded.length * 3 > limits.valueBytes && byteLength(encoded) > limits.valueBytes) {
        throw new SessionError(
          "LIMIT_EXCEEDED",
          `"${name}" takes ${byteLength(encoded)} bytes, more than limits.valueBytes (${limits.valueBytes}): split it, or raise the limit in defineSession`,
          { key: name },
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
  const message = `"${key}" rejects the value${where}: ${first?.message ?? "see its schema"}`;
  return new SessionError("INVALID_VALUE", message, { key, issues: first && issues });
}

function pathStep(step: PropertyKey | StandardSchemaV1.PathSegment): string | number {
  const key = typeof step === "object" ? step.key : step;
  return typeof key === "symbol" ? String(key) : key;
}

function invalid(message: string, key?: string): SessionError {
  return new SessionError("INVALID_DEFINITION", message, { key });
}

/** Tells definitions apart, protects nothing. */
function fingerprint(text: string): string {
  return (fnv(text) >>> 0).toString(36);
}
