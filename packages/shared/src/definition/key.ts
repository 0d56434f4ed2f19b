import type { StandardSchemaV1 } from "@standard-schema/spec";
import { byteLength, decode, encode } from "../codec.ts";
import { refusal, type SessionError, type SessionIssue } from "../session-error.ts";
import type { Merge } from "./merge.ts";

/** Who may touch a key from the browser: `shared` reads and writes, `readonly` reads, `secret` neither. */
export type Access = "shared" | "readonly" | "secret";

/** How large a session may grow, in bytes of its encoded values (UTF-8). */
export interface Limits {
  /** One value; default 131,072. */
  readonly valueBytes: number;
  /** All values of a session together; default 1,048,576. */
  readonly sessionBytes: number;
}

/** A schema together with how its values merge and where they may rest; made by `value` and `counter`. */
export interface ValueDeclaration<S extends StandardSchemaV1 = StandardSchemaV1> {
  readonly schema: S;
  /** Of the schema's own type, which `value` has checked; declared so that every declaration is one of the general kind. */
  readonly merge?: ((base: never, mine: never, theirs: never) => unknown) | undefined;
  readonly disk?: boolean;
  readonly adopt?: boolean;
}

/** The schema of what is declared of a key. */
export type SchemaOf<T> = T extends StandardSchemaV1 ? T : T extends ValueDeclaration<infer S> ? S : never;

/** One declared key, ready to use at run time. */
export interface Key {
  /** Under which it rests and travels: of a key that was renamed, the name before. */
  readonly name: string;
  /** By which the app calls it. */
  readonly label: string;
  readonly access: Access;
  readonly merge: Merge<unknown> | undefined;
  /** Whether a browser may keep it in IndexedDB. */
  readonly disk: boolean;
  /** Whether the browser takes its value along when its session expires. */
  readonly adopt: boolean;
  /** Whether the definition has a `migrate` for it. */
  readonly migrates: boolean;
  /**
   * Validates a value; throws `INVALID_VALUE` with the schema's issues, or `LIMIT_EXCEEDED`. Gives the schema's output, encoded.
   * It may be as long as the limit, or as what is `present`, which may have been written under a higher one.
   */
  encode(value: unknown, present?: string | null): string;
  /**
   * A value that was written under another version of the definition, as today's schema has it, encoded: itself, or what
   * `migrate` makes of it; `null` where that gives `undefined`, which drops it. Throws what the schema refuses it with, or what
   * `migrate` throws. As long as it is, unless `present` is given, as to `encode`.
   */
  fit(value: unknown, present?: string | null): string | null;
  /** A fresh copy of the schema's default, or `undefined` when it has none. */
  fallback(): unknown;
}

/** Makes a key of what is declared: a schema, or one with options. */
export function createKey(
  name: string,
  access: Access,
  declared: StandardSchemaV1 | ValueDeclaration,
  { valueBytes }: Limits,
  migrate: ((stored: unknown) => unknown) | undefined,
  restsAs: string = name,
): Key {
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
  const accepted = (input: unknown) => {
    const result = check(input);
    if (result.issues) throw rejected(name, access, result.issues);
    if (result.value === undefined)
      throw refusal("INVALID_VALUE", name, `cannot be undefined: call delValue("${name}")`);
    return result.value;
  };
  /** Encoded. What is there may have been written under a higher limit: it may stay as long as it is. */
  const bounded = (value: unknown, present: string | null = null) => {
    const encoded = encode(value, name, Math.max(valueBytes, present?.length ?? 0));
    const bytes = encoded.length * 3 > valueBytes ? byteLength(encoded) : 0;
    if (bytes > valueBytes && bytes > byteLength(present ?? "")) {
      throw refusal(
        "LIMIT_EXCEEDED",
        name,
        `takes ${bytes} bytes, more than limits.valueBytes (${valueBytes}): split it, or raise the limit in defineSession`,
      );
    }
    return encoded;
  };
  return {
    name: restsAs,
    label: name,
    access,
    // `value` has tied the merge to the schema, whose outputs are all that it is ever given.
    merge: merge as Merge<unknown> | undefined,
    disk,
    adopt,
    migrates: migrate !== undefined,
    encode: (input, present) => bounded(accepted(input), present),
    fit(stored, present) {
      let fitting = stored;
      if (migrate && check(stored).issues) {
        fitting = migrate(stored);
        if (fitting === undefined) return null;
      }
      const value = accepted(fitting);
      return present === undefined ? encode(value, name) : bounded(value, present);
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
