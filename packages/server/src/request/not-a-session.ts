import { Session } from "@catnap/shared";
import { invalid } from "../option-checks.ts";

/**
 * Makes an `AwakeSession` that is taken for the `Session` say what was forgotten, instead of `value is not a function`: it
 * answers each of the `Session`'s methods by throwing `INVALID_OPTION`. TypeScript knows of none of them.
 */
export function refuseMethodsOfSession(prototype: object): void {
  for (const name of methodsOf(Session.prototype)) {
    // A context that is logged may hold an awake session as well.
    if (name in prototype || name === "toJSON") continue;
    const value = () => {
      throw invalid(
        `${String(name)} is the Session's, and wake gives none yet: use sessions.middleware on this procedure, or call wake(…).run((session) => …)`,
      );
    };
    Object.defineProperty(prototype, name, { value });
  }
}

/** The methods of a class, and of those that it extends. */
function methodsOf(prototype: object): (string | symbol)[] {
  const parent: object | null = Object.getPrototypeOf(prototype);
  const inherited = parent === null || parent === Object.prototype ? [] : methodsOf(parent);
  return [...Reflect.ownKeys(prototype), ...inherited];
}
