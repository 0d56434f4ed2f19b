import {
  checkDefinition,
  type Definition,
  defineSession,
  keyNamed,
  type Migrations,
  type ServerSchemas,
  type Shape,
} from "@catnap/shared";
import { invalid, shown } from "./option-checks.ts";

/** What `extendSession` adds to a definition. */
export interface Extension<Browser, Secret, More> {
  /** Keys that the browser never sees, neither their values nor that they are. */
  readonly secret?: More;
  /** For keys that the browser may see: what the server checks in the place of the shared schema, its default included. */
  readonly schemas?: NoInfer<ServerSchemas<Browser>>;
  /** As in `defineSession`, for the keys of `secret`. */
  readonly migrate?: NoInfer<Migrations<Secret & More>>;
  readonly dropped?: readonly string[];
  readonly trust?: readonly NoInfer<keyof (Secret & More) & string>[];
  readonly renamed?: { readonly [old: string]: NoInfer<keyof (Secret & More) & string> };
}

type Declared = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>> & {
  readonly dropped?: readonly string[];
  readonly trust?: readonly string[];
};

/**
 * The server's half of a definition: the shared one with `secret` keys, and with stricter `schemas`, in a file that no browser
 * imports. Give it to `createSessions`, and the shared one to `createSessionClient` and to the hooks; both have the same
 * `fingerprint`, which counts what a browser sees.
 *
 * Throws `INVALID_OPTION` for what is no definition, for `schemas` of keys that it does not have, for a `renamed` of what is no
 * secret key or is renamed in the definition already, and `INVALID_DEFINITION` as `defineSession` does.
 */
export function extendSession<
  Shared extends Shape,
  Readonly extends Shape,
  Secret extends Shape,
  const More extends Shape = Record<never, never>,
>(
  definition: Definition<Shared, Readonly, Secret>,
  more: Extension<Shared & Readonly, Secret, More>,
): Definition<Shared, Readonly, Secret & More> {
  const declared = definition?.declared as Declared | undefined;
  if (!declared) throw invalid(`extendSession takes what defineSession returned, not ${shown(definition)}`);
  const { secret, schemas = {}, migrate, dropped = [], trust = [], renamed, ...unknown } = more ?? {};
  const [other] = Object.keys(unknown);
  if (other)
    throw invalid(`extendSession has no option "${other}": it takes secret, schemas, migrate, dropped, trust, renamed`);
  const stricter = new Map<string, unknown>(Object.entries(schemas));
  const strict = (group: Declared[string]) =>
    Object.fromEntries(
      Object.entries(group ?? {}).map(([name, value]) => {
        const schema = stricter.get(name);
        if (schema === undefined) return [name, value];
        return [name, value && typeof value === "object" && "schema" in value ? { ...value, schema } : schema];
      }),
    );
  for (const name of stricter.keys()) {
    if (!["shared", "readonly"].includes(keyNamed(definition, name)?.access ?? ""))
      throw invalid(`extendSession has a schema for "${name}", which is no shared or readonly key: mend the name`);
  }
  for (const [old, name] of Object.entries(renamed ?? {})) {
    if (declared.renamed && Object.hasOwn(declared.renamed, old))
      throw invalid(`extendSession renames "${old}", which the definition does already: keep one`);
    if (!Object.hasOwn({ ...declared.secret, ...secret }, name))
      throw invalid(`extendSession renames "${old}" to ${shown(name)}, which is no secret key: mend the name`);
  }
  const groups = {
    ...declared,
    shared: strict(declared.shared),
    readonly: strict(declared.readonly),
    secret: { ...declared.secret, ...secret },
    migrate: { ...declared.migrate, ...migrate },
    dropped: [...(declared.dropped ?? []), ...dropped],
    trust: [...(declared.trust ?? []), ...trust],
    renamed: { ...declared.renamed, ...renamed },
  };
  for (const name of Object.keys(secret ?? {})) {
    if (keyNamed(definition, name)) throw invalid(`extendSession declares "${name}" once more: keep one`);
  }
  checkDefinition(groups);
  // Made of the two halves, whose types the signature has joined.
  return defineSession(groups as never) as unknown as Definition<Shared, Readonly, Secret & More>;
}
