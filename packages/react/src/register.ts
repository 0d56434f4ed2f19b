import type { AnyDefinition } from "@catnap/shared";

/**
 * Tells the hooks your definition, once for the whole app, so that names and values are typed without a type argument:
 *
 * ```ts
 * declare module "catnap/react" {
 *   interface Register { definition: typeof shop }
 * }
 * ```
 *
 * A program with two definitions makes hooks for each with `createSessionHooks`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: apps add the property
export interface Register {}

/** The registered definition; any, as long as there is none. */
export type Registered = Register extends { definition: infer D extends AnyDefinition } ? D : AnyDefinition;
