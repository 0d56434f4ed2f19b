// Type-checks every sample of README.md and docs/ against the built package, as a user's own project would. A sample names
// its file in its first line; the pages of docs/ import the README's files. A sample that names a file of examples/ is cut
// from it: it has to stand there word for word, and is compiled and run there.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const root = join(import.meta.dirname, "..");
const folder = join(root, ".cache", "samples");
const pages = ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)];

/**
 * What is wrong with a sample that names a file of examples/, `null` when nothing is; `undefined` for any other sample.
 * @param {string} code
 * @param {(name: string) => string | null} read gives the file's text
 */
export function cutFrom(code, read) {
  const [, name, rest = ""] = /^\/\/ (examples\/\S+)(?: \(part\))?\n([\s\S]*)$/.exec(code) ?? [];
  if (name === undefined) return undefined;
  const text = read(name);
  if (text === null) return `there is no ${name}`;
  return `\n${text}`.includes(`\n${rest.trim()}\n`) ? null : `it does not stand in ${name}, line for line`;
}

function check() {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const wrong = [];
  let [compiled, cut] = [0, 0];
  for (const page of pages.filter((name) => name.endsWith(".md"))) {
    for (const [, code = ""] of readFileSync(join(root, page), "utf8").matchAll(/^```tsx?\n([\s\S]*?)^```$/gm)) {
      const problem = cutFrom(code, (name) =>
        existsSync(join(root, name)) ? readFileSync(join(root, name), "utf8") : null,
      );
      const name = /^\/\/ ([\w.-]+\.tsx?)\b/.exec(code)?.[1];
      if (problem === null) cut++;
      else if (problem !== undefined) wrong.push(`${page}: a sample is not what was tried, ${problem}:\n${code}`);
      else if (!name) wrong.push(`${page}: a sample does not name its file in its first line:\n${code}`);
      else {
        writeFileSync(join(folder, name), code);
        compiled++;
      }
    }
  }
  for (const text of wrong) console.error(text);
  if (wrong.length > 0) process.exit(1);
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: "../../tsconfig.base.json",
      compilerOptions: { lib: ["ES2023", "DOM"], types: ["node"], jsx: "react-jsx" },
      include: ["*.ts", "*.tsx"],
    }),
  );
  try {
    execFileSync(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", folder], {
      stdio: "inherit",
    });
  } catch {
    process.exit(1);
  }
  console.log(
    `${compiled} samples of ${pages.length} pages type-check against the built package; ${cut} stand in examples/.`,
  );
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) check();
