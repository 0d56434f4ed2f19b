import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { AnyDefinition } from "./definition.ts";
import type { SchemaOf } from "./key.ts";

type Types<D extends AnyDefinition> = NonNullable<D["~types"]>;
type Groups<D extends AnyDefinition> = Types<D>["shared"] & Types<D>["readonly"] & Types<D>["secret"];

/** The side that a session is held on. */
export type Side = "server" | "browser";

/** The names of a group, as a union that the compiler's errors print name by name instead of as `keyof` the whole group. */
type Names<Group> = Group extends unknown ? { [K in keyof Group & string]: K }[keyof Group & string] : never;

/** The names that a side may read. */
export type NameOf<D extends AnyDefinition, S extends Side> = [S] extends ["server"]
  ? Names<Types<D>["shared"]> | Names<Types<D>["readonly"]> | Names<Types<D>["secret"]>
  : Names<Types<D>["shared"]> | Names<Types<D>["readonly"]>;

/** The names that a side may write. */
export type WritableNameOf<D extends AnyDefinition, S extends Side> = [S] extends ["server"]
  ? NameOf<D, S>
  : Names<Types<D>["shared"]>;

/** What the compiler says of a write to a `readonly` key in the browser. */
export type ReadonlyKey<N extends string> = `${N} is readonly: the server alone writes it, call a procedure`;

/**
 * Beside the names that a side may write, the type of a name `N` that it may not: a text that says why. No argument is
 * meant to be of that type; it is there for the compiler's error.
 */
export type Refused<D extends AnyDefinition, S extends Side, N extends string> = S extends "server"
  ? never
  : N extends WritableNameOf<D, S>
    ? N
    : N extends Names<Types<D>["readonly"]>
      ? ReadonlyKey<N>
      : N extends Names<Types<D>["secret"]>
        ? `${N} is secret: it never leaves the server`
        : never;

/** What reading a key gives: the schema's output. */
export type ValueOf<D extends AnyDefinition, K extends string> = StandardSchemaV1.InferOutput<SchemaOf<Groups<D>[K]>>;

/** What writing a key takes: the schema's input. */
export type InputOf<D extends AnyDefinition, K extends string> = StandardSchemaV1.InferInput<SchemaOf<Groups<D>[K]>>;

/** All values that a side may read, each absent until set. */
export type ValuesOf<D extends AnyDefinition, S extends Side> = { readonly [K in NameOf<D, S>]?: ValueOf<D, K> };
