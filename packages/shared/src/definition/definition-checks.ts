import { boolean, callable, known, shown } from "../option-checks.ts";
import { SessionError } from "../session-error.ts";
import { merge } from "./merge.ts";

const groups = ["shared", "readonly", "secret"];
const members = [...groups, "name", "limits", "migrate", "dropped", "trust", "renamed"];
const limitNames = ["valueBytes", "sessionBytes"];

const namePattern = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

type Unknown = Readonly<Record<string, unknown>>;

/**
 * Checks what `defineSession` was given, which no caller without types is held to. Throws `INVALID_DEFINITION`. It depends on
 * the app's code alone: `defineSession` calls it in development, and `createSessions` always.
 */
export function checkDefinition(declared: unknown): void {
  const given = Object((declared ?? { nothing: 0 }) as Unknown) as Unknown;
  for (const name of Object.keys(given)) {
    if (!members.includes(name)) throw invalid(`defineSession takes ${members.join(", ")}, not "${name}"`);
  }
  const { name: app = "catnap", limits } = given;
  for (const [name, bytes] of Object.entries(limits ?? {})) {
    if (!(limitNames.includes(name) && Number.isSafeInteger(bytes) && bytes > 0)) {
      throw invalid(`limits.${name} is ${shown(bytes)}: give valueBytes and sessionBytes, whole numbers above 0`);
    }
  }
  checkName(app);
  const names = new Set<string>();
  for (const group of groups) {
    for (const [name, one] of Object.entries(given[group] ?? {})) {
      checkName(name);
      if (names.has(name)) throw invalid(`"${name}" is declared twice: keep one`, name);
      names.add(name);
      checkValue(name, (one ?? {}) as Unknown, group);
    }
  }
  checkVersions(given, names);
}

/** What is said of other versions of the definition. */
function checkVersions(
  { migrate = {}, dropped = [], trust = [], renamed = {}, ...given }: Unknown,
  names: ReadonlySet<string>,
): void {
  const called = (what: string, name: unknown, rule: string) =>
    invalid(`${what} names ${shown(name)}, ${rule}`, typeof name === "string" ? name : undefined);
  if (typeof migrate !== "object" || Array.isArray(migrate))
    throw invalid(`migrate is ${shown(migrate)}: give an object with a function for each key`);
  for (const [name, make] of Object.entries(migrate ?? {})) {
    if (!names.has(name))
      throw called("migrate", name, "which is no key of this definition: mend the name, or drop the line");
    if (typeof make !== "function")
      throw invalid(`migrate.${name} is ${shown(make)}: give a function, such as (stored) => …`, name);
  }
  for (const [what, list] of Object.entries({ dropped, trust })) {
    if (!Array.isArray(list)) throw invalid(`${what} is ${shown(list)}: give an array of names`);
  }
  for (const name of dropped as unknown[]) {
    if (names.has(name as string))
      throw called("dropped", name, "which is a key of this definition: keep one of the two");
    checkName(name);
  }
  if (typeof renamed !== "object" || renamed === null || Array.isArray(renamed))
    throw invalid(`renamed is ${shown(renamed)}: give an object, such as { basket: "cart" }`);
  const now = Object.values(renamed as Unknown);
  for (const [old, name] of Object.entries(renamed as Unknown)) {
    checkName(old);
    if (names.has(old)) throw called("renamed", old, "which is a key of this definition: keep one of the two");
    if ((dropped as unknown[]).includes(old))
      throw called("renamed", old, "which dropped names as well: keep one of the two");
    if (now.indexOf(name) !== now.lastIndexOf(name))
      throw called("renamed", name, "as the new name of two keys: keep the line with the oldest name");
    if (Object.hasOwn(renamed as Unknown, name as string))
      throw invalid(
        `renamed goes by way of "${name}": give the oldest name and today's alone, in one line`,
        String(name),
      );
    if (!names.has(name as string))
      throw called("renamed", name, `as the new name of "${old}", which has to be a key of this definition`);
  }
  const moved = { ...Object(given.readonly), ...Object(given.secret) } as Unknown;
  for (const name of trust as unknown[]) {
    if (!Object.hasOwn(moved, name as string))
      throw called("trust", name, "which is no readonly or secret key: it is for keys that were shared once");
  }
}

function checkName(name: unknown): void {
  if (typeof name === "string" && namePattern.test(name)) return;
  const told = typeof name === "string" ? name : shown(name);
  throw invalid(`"${told}" is no name: use a letter, then at most 63 letters, digits, "_" or "-"`, told);
}

function checkValue(name: string, given: Unknown, group: string): void {
  const isBare = given["~standard"] !== undefined;
  const { schema, merge: joins, disk, adopt } = isBare ? { schema: given } : given;
  const { validate } = (schema as { "~standard"?: Unknown } | undefined)?.["~standard"] ?? {};
  if (typeof validate !== "function") {
    throw invalid(`"${name}" has no schema: give one of Standard Schema, such as z.string()`, name);
  }
  if (isBare) return;
  const what = `"${name}"`;
  try {
    known(what, given, ["schema", "merge", "disk", "adopt"]);
    if (joins !== undefined) callable(`The merge of ${what}`, joins, "merge.union");
    if (disk !== undefined) boolean(`disk of ${what}`, disk as boolean);
    if (adopt !== undefined) boolean(`adopt of ${what}`, adopt as boolean);
  } catch (error) {
    throw invalid((error as Error).message, name);
  }
  if (adopt && (group !== "shared" || disk === false)) {
    const why = group === "shared" ? "disk: false keeps it off the disk" : `it is ${group}`;
    throw invalid(
      `${what} cannot have adopt: true, since ${why}: a browser adopts shared values that rest on its disk`,
      name,
    );
  }
  if (joins === merge.byId)
    throw invalid(`The merge of ${what} is merge.byId itself: call it, as in merge.byId("id")`, name);
}

function invalid(message: string, key?: string): SessionError {
  return new SessionError("INVALID_DEFINITION", message, { key });
}
