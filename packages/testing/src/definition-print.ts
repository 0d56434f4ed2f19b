import type { AnyDefinition, Limits } from "@catnap/shared";
import { invalid } from "./checks.ts";

/** What a file holds of a definition: all but its schemas, which no file can. */
export interface Print {
  readonly name: string;
  readonly keys: Readonly<Record<string, KeyPrint>>;
  readonly limits: Limits;
}

interface KeyPrint {
  readonly access: string;
  readonly merge: boolean;
  readonly disk: boolean;
}

/** The same text for the same definition, in whatever order its keys are declared. */
export function printOf({ name, keys, limits }: AnyDefinition): Print {
  const sorted = [...keys.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    name,
    keys: Object.fromEntries(
      sorted.map((key) => [key.name, { access: key.access, merge: key.merge !== undefined, disk: key.disk }]),
    ),
    limits,
  };
}

/** What a file holds. Throws `INVALID_OPTION` for another file, and for one that is damaged. */
export function readPrint(file: string, text: string): Print {
  let print: Partial<Print> | null = null;
  try {
    print = JSON.parse(text) as Partial<Print> | null;
  } catch {
    // Told below.
  }
  if (print?.name && print.keys && print.limits) return print as Print;
  throw invalid(
    `checkDefinition: ${file} holds no definition, or marks of a merge: take its last version, or delete it`,
  );
}

/** What differs, and what comes of it for sessions that exist. */
export function changesBetween(before: Print, now: Print, { dropped, trust, keys }: AnyDefinition): string[] {
  const changes: string[] = [];
  if (before.name !== now.name)
    changes.push(`The name was "${before.name}" and is "${now.name}": no session of before is found any more`);
  for (const name of [...new Set([...Object.keys(before.keys), ...Object.keys(now.keys)])].sort()) {
    const [was, is] = [before.keys[name], now.keys[name]];
    const say = (what: string) => changes.push(`"${name}" ${what}`);
    if (!was) say("is new: changes of it that an older process gets wait for a newer one");
    else if (!is) {
      say(
        dropped.includes(name)
          ? "is dropped: what rests of it is deleted"
          : "is gone: what rests of it stays, and counts for nothing. Name it in renamed if it has another name now, and in dropped, once no older version runs, if it has none",
      );
    } else {
      if (was.access !== is.access) say(moved(was.access, is.access, trust.has(keys.get(name)?.label ?? name)));
      if (was.merge !== is.merge)
        say(is.merge ? "has a merge now: changes are joined" : "has no merge any more: the later change stands");
      if (was.disk !== is.disk) say(is.disk ? "rests in browsers from now on" : "rests in no browser any more");
    }
  }
  for (const name of ["valueBytes", "sessionBytes"] as const) {
    const [was, is] = [before.limits[name], now.limits[name]];
    const comes = is < was ? "what is longer stays, and may not grow" : "an older process refuses what is longer";
    if (was !== is) changes.push(`limits.${name} was ${was} and is ${is}: ${comes}`);
  }
  return changes;
}

function moved(from: string, to: string, trusted: boolean): string {
  const comes =
    from !== "shared"
      ? `browsers ${to === "secret" ? "see it no more" : "see it from now on"}`
      : trusted
        ? "what browsers wrote is taken over, as trust says"
        : "what browsers wrote is deleted; name it in trust to take it over";
  return `moves from ${from} to ${to}: ${comes}`;
}
