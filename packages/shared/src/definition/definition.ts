import type { StandardSchemaV1 } from "@standard-schema/spec";
import { development } from "../development.ts";
import { fnv } from "./checksum.ts";
import { checkDefinition } from "./definition-checks.ts";
import { createKey, type Key, type Limits, type SchemaOf, type ValueDeclaration } from "./key.ts";
import type { Merge } from "./merge.ts";

/** Keys and their schemas, bare or declared with `value` or `counter`. */
export type Shape = Readonly<Record<string, StandardSchemaV1 | ValueDeclaration>>;

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
  /** By the names under which they rest. */
  readonly keys: ReadonlyMap<string, Key>;
  /** Of keys that were renamed, by the name of today, the one under which they rest. */
  readonly renamed: ReadonlyMap<string, string>;
  readonly limits: Limits;
  /** Names of keys that were in an earlier version: what rests of them is deleted. */
  readonly dropped: readonly string[];
  /** Names of keys that take over what browsers wrote while they were `shared`. */
  readonly trust: ReadonlySet<string>;
  /**
   * Changes when the names, the groups, the merges or the places of the keys do that a browser may see: a cache made under
   * another is not trusted.
   */
  readonly fingerprint: string;
  /** Types only; absent at run time. */
  readonly "~types"?: { readonly shared: Shared; readonly readonly: Readonly; readonly secret: Secret };
}

/** The key that the app calls by this name. */
export function keyNamed({ keys, renamed }: Pick<Definition, "keys" | "renamed">, name: string): Key | undefined {
  const key = keys.get(renamed.get(name) ?? name);
  return key?.label === name ? key : undefined;
}

/** The names by which the app calls a definition's keys, for messages. */
export const namesOf = ({ keys }: Pick<Definition, "keys">): string =>
  [...keys.values()].map(({ label }) => label).join(", ");

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

/**
 * Declares a number that starts at 0 and of which every concurrent change counts: two tabs that add 1 make 2. `disk` and `adopt`
 * as for `value`.
 */
export function counter(options?: { disk?: boolean; adopt?: boolean }): Counter {
  return { ...options, schema: finiteNumber, merge: (base, mine, theirs) => theirs + (mine - (base ?? 0)) };
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

/** What keys become of values that an earlier version of the definition has left, by key. */
export type Migrations<Groups> = {
  readonly [K in keyof Groups]?: (stored: unknown) => StandardSchemaV1.InferInput<SchemaOf<Groups[K]>> | undefined;
};

/** Schemas for keys of a shared definition that the server checks more strictly: what they put out is still the key's own type. */
export type ServerSchemas<Groups> = {
  readonly [K in keyof Groups]?: StandardSchemaV1<
    StandardSchemaV1.InferInput<SchemaOf<Groups[K]>>,
    StandardSchemaV1.InferOutput<SchemaOf<Groups[K]>>
  >;
};

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
 * Sessions outlive versions of the definition. `migrate` makes what rests of an earlier one fit the schema that rejects it, on
 * both sides: make it pure. What it gives is checked again; `undefined` drops the value. A value that fits neither way is as good
 * as absent, and stays as it is. `dropped` names keys of an earlier version whose values are deleted; without it what the
 * definition does not know is kept, since a newer version may run beside this one. `renamed: { basket: "cart" }` calls a key
 * `cart` that rests and travels as `basket`, so that both names work while both versions run, and after a rollback. `trust` names keys that were `shared` once and
 * take over what browsers wrote then; else that is deleted.
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
  migrate?: NoInfer<Migrations<Shared & Readonly & Secret>>;
  dropped?: readonly string[];
  trust?: readonly NoInfer<(keyof Readonly | keyof Secret) & string>[];
  renamed?: { readonly [old: string]: NoInfer<(keyof Shared | keyof Readonly | keyof Secret) & string> };
}): Definition<Shared, Readonly, Secret> {
  if (development && process.env.NODE_ENV !== "production") checkDefinition(groups);
  // In production, where `createSessions` checks, they may still be nothing at all.
  const limits: Limits = { ...defaultLimits, ...groups?.limits };
  const keys = new Map<string, Key>();
  const before = new Map(Object.entries(groups?.renamed ?? {}).map(([old, name]) => [name as string, old]));
  const described: string[] = [];
  for (const access of accesses) {
    for (const [name, declared] of Object.entries(groups?.[access] ?? {})) {
      const migrate = (groups.migrate as Record<string, (stored: unknown) => unknown> | undefined)?.[name];
      const key = createKey(name, access, declared, limits, migrate, before.get(name));
      keys.set(key.name, key);
      if (access !== "secret") described.push(`${key.name}:${access}:${key.merge ? "m" : ""}${key.disk ? "" : "d"}`);
    }
  }
  // Tells definitions apart, protects nothing.
  const fingerprint = (fnv(described.sort().join()) >>> 0).toString(36);
  const { name = "catnap", dropped = [], trust = [] } = groups ?? {};
  return { name, declared: groups, keys, renamed: before, limits, dropped, trust: new Set(trust), fingerprint };
}
