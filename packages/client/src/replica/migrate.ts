import { decode, type Key } from "@catnap/shared";

/** Makes a value fit that today's schema rejects; `undefined`: drop it. */
export type Migrate = (key: string, value: unknown) => unknown;

/** A value as today's schema has it, encoded. Throws when neither the schema takes it nor `migrate` makes it fit. */
export function fitted(key: Key, encoded: string, migrate: Migrate | undefined): string {
  const value = decode(encoded, key.name);
  try {
    return key.encode(value);
  } catch (error) {
    if (!migrate) throw error;
    return key.encode(migrate(key.name, value));
  }
}
