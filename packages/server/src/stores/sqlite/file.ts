import { randomUUID } from "node:crypto";
import { accessSync, closeSync, constants, openSync, readlinkSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, isAbsolute, resolve, sep } from "node:path";
import { SessionError } from "@catnap/shared";

/** Where SQLite finds the file of a path. */
export interface Place {
  /** Its absolute path. */
  readonly file: string;
  /** Whether SQLite would make the file. */
  readonly creates: boolean;
}

/** Which file it is, whatever its name. */
export interface Identity {
  readonly dev: number;
  readonly ino: number;
}

/** What a look at a path shows; `hidden`: a folder on the way is closed to us, or the disk does not answer. */
export type Sight = Identity | "gone" | "hidden";

/** How often to look what has become of the file, in milliseconds, at most: a look costs two microseconds, a tenth of a read. */
const lookMs = 10;

/** Where the file of a path or of a `file:` URI is, as SQLite reads them; `null`: in memory, or where only SQLite knows. */
export function placeOf(path: string): Place | null {
  if (path === ":memory:") return null;
  try {
    if (!path.startsWith("file:")) return { file: absolute(path), creates: true };
    const [, encoded = "", query = ""] = /^file:(?:\/\/(?:localhost)?(?=\/))?([^?#]*)(?:\?([^#]*))?/.exec(path) ?? [];
    const mode = new URLSearchParams(query).get("mode");
    const name = decodeURIComponent(encoded);
    if (name === "" || name === ":memory:" || mode === "memory") return null;
    return { file: absolute(name), creates: mode === null || mode === "rwc" };
  } catch {
    // An escape that is no text, or a folder of the process that was removed: SQLite makes of it what it can.
    return null;
  }
}

/** Not `resolve`, which takes `..` for the folder above in name, where Unix takes the one above a link's target. */
function absolute(path: string): string {
  if (process.platform === "win32") return resolve(path);
  return isAbsolute(path) ? path : process.cwd() + sep + path;
}

/**
 * Makes the file for its owner alone if there is none: sessions are not for everybody who has a login on the machine, and
 * SQLite would give it what the umask leaves. The files that SQLite puts beside it take its mode.
 */
export function createPrivate(file: string): void {
  try {
    // Only one that is new is opened: closing another would end the locks that SQLite has on it in this process.
    closeSync(openSync(endOfLinks(file), "wx", 0o600));
  } catch {
    // It is there, and keeps its mode; or it cannot be made, which SQLite finds as well, and `whyNot` says why.
  }
}

/** The file that a link leads to, even where that is still to be made. */
function endOfLinks(file: string): string {
  let target = file;
  for (let links = 0; links < 40; links++) {
    try {
      target = resolve(dirname(target), readlinkSync(target));
    } catch {
      // No link, or nothing at all.
      break;
    }
  }
  return target;
}

/** Why a file cannot be opened, and what to do. */
export function whyNot({ file }: Place): string {
  const folder = dirname(endOfLinks(file));
  if (isFolder(file)) return "it is a folder: name a file in it";
  if (identify(folder) !== "hidden" && !isFolder(folder)) {
    return "its folder does not exist: make it, or name another file";
  }
  if (!isAllowed(folder))
    return "this process may not write in its folder: let it, for the files that SQLite puts there too";
  if (!isAllowed(file)) return "this process may not read and write it: let it, or name another file";
  return "make sure that it is a file, and that no limit on open files is reached";
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // What cannot be looked at is none to go into.
    return false;
  }
}

function isAllowed(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Which file is there. */
export function identify(file: string): Sight {
  try {
    return statSync(file);
  } catch (error) {
    // Errors of the file system have a code.
    const { code } = error as { code?: unknown };
    return code === "ENOENT" || code === "ENOTDIR" ? "gone" : "hidden";
  }
}

export function isSame(one: Sight, other: Sight): boolean {
  return typeof one === "object" && typeof other === "object" && one.ino === other.ino && one.dev === other.dev;
}

/** What has become of the file of an opened database: somebody may have moved it away, or another one into its place. */
export class OpenedFile {
  readonly #place: Place;
  readonly #identity: Identity;
  /** The files that SQLite keeps beside the database, by name. */
  readonly #companions: ReadonlyMap<string, Sight>;
  #state: "same" | "replaced" | "gone" = "same";
  /** In which stretch of `lookMs` the last look was. The wall clock costs a fifth of the other, and may be set back here. */
  #stretch = 0;

  /** To be made once SQLite has opened it and put its own files beside it. */
  constructor(place: Place, identity: Identity) {
    this.#place = place;
    this.#identity = identity;
    const file = endOfLinks(place.file);
    this.#companions = new Map([`${file}-wal`, `${file}-shm`].map((name) => [name, identify(name)]));
  }

  /** What stands under the path now, or stood there a hundredth of a second ago. */
  state(): "same" | "replaced" | "gone" {
    const stretch = Math.trunc(Date.now() / lookMs);
    if (stretch === this.#stretch) return this.#state;
    this.#stretch = stretch;
    return this.look();
  }

  look(): "same" | "replaced" | "gone" {
    const found = identify(this.#place.file);
    // What cannot be seen may be as it was, and the open file is as good as before.
    if (found === "hidden" || isSame(found, this.#identity)) this.#state = "same";
    else this.#state = found === "gone" ? "gone" : "replaced";
    return this.#state;
  }

  /**
   * Removes what SQLite has left beside a file that is no longer there: it would take the log for that of the file which has
   * come in its place, and mix the two. Those of another process that has opened that one already are left alone. Throws
   * `STORE_UNUSABLE` where it may not.
   */
  removeCompanions(): void {
    for (const [name, identity] of this.#companions) {
      if (!isSame(identify(name), identity)) continue;
      const aside = `${name}.${randomUUID()}`;
      try {
        renameSync(name, aside);
        // Another process may have removed it since the look, and put its own there.
        if (isSame(identify(aside), identity)) rmSync(aside);
        else renameSync(aside, name);
      } catch (cause) {
        if (identify(name) === "gone") continue;
        throw new SessionError(
          "STORE_UNUSABLE",
          `${name} belongs to the file that was replaced and cannot be removed: remove it, and let this process write in its folder`,
          { cause },
        );
      }
    }
  }
}
