import { type AnyDefinition, merge, SessionError } from "@catnap/shared";
import { boolean, callable, invalid, known, shown } from "./option-checks.ts";

/**
 * Checks a definition further than `defineSession`, whose every byte each browser loads. Throws `INVALID_OPTION` for what is no
 * definition, and `INVALID_DEFINITION` for options of `value` that do not exist or can never work.
 */
export function assertDefinition(definition: AnyDefinition | undefined): void {
  const { keys, fingerprint } = definition ?? {};
  if (!(keys instanceof Map) || typeof fingerprint !== "string") {
    throw invalid(`definition is ${shown(definition)}: pass what defineSession of this version of catnap returned`);
  }
  for (const { name, declared } of (definition as AnyDefinition).keys.values()) {
    try {
      checkDeclared(`"${name}"`, declared);
    } catch (error) {
      throw new SessionError("INVALID_DEFINITION", (error as Error).message, { key: name });
    }
  }
}

function checkDeclared(what: string, declared: unknown): void {
  // `defineSession` has seen that it is a schema, or an object that has one.
  const given = declared as { readonly "~standard"?: unknown; readonly merge?: unknown; readonly disk?: unknown };
  if (given["~standard"] !== undefined) return;
  known(what, given, ["schema", "merge", "disk"]);
  if (given.merge !== undefined) callable(`The merge of ${what}`, given.merge, "merge.union");
  if (given.merge === merge.byId)
    throw invalid(`The merge of ${what} is merge.byId itself: call it, as in merge.byId("id")`);
  if (given.disk !== undefined) boolean(`disk of ${what}`, given.disk as boolean);
}
