import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Unpacks the Chromium of `@sparticuz/chromium`, once per version, and points this process and its children at the
 * libraries and fonts that come with it where the machine lacks its own. Gives the browser's path.
 */
export async function unpackChromium(): Promise<string> {
  const home = dirname(dirname(fileURLToPath(import.meta.resolve("@sparticuz/chromium"))));
  const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as { version: string };
  const target = fileURLToPath(new URL(`../.cache/chromium-${version}`, import.meta.url));
  if (!existsSync(target)) await unpack(join(home, "bin"), target);
  const program = join(target, "chromium");
  if (missesLibraries(program)) {
    const own = join(target, "al2023", "lib");
    process.env.LD_LIBRARY_PATH = [own, process.env.LD_LIBRARY_PATH].filter(Boolean).join(":");
  }
  if (!existsSync("/etc/fonts/fonts.conf")) process.env.FONTCONFIG_PATH ??= join(target, "fonts");
  return program;
}

/** Under another name first, so that a folder of the final name is always whole. */
async function unpack(archives: string, target: string): Promise<void> {
  const { inflate } = await import("@sparticuz/chromium");
  const partial = `${target}.${process.pid}`;
  mkdirSync(partial, { recursive: true });
  const before = process.env.TMPDIR;
  process.env.TMPDIR = partial; // `inflate` writes into the folder for temporary files
  try {
    for (const name of ["chromium.br", "fonts.tar.br", "swiftshader.tar.br", "al2023.tar.br"]) {
      await inflate(join(archives, name));
    }
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
  rmSync(target, { recursive: true, force: true });
  renameSync(partial, target);
}

/** Whether the dynamic linker misses a library of this program. */
function missesLibraries(program: string): boolean {
  return execFileSync("ldd", [program], { encoding: "utf8" }).includes("not found");
}
