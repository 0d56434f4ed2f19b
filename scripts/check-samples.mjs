// Type-checks every sample of README.md and docs/ against the built package, as a user's own project would. A sample names
// its file in its first line; the pages of docs/ import the README's files.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const folder = join(root, ".cache", "samples");
const pages = ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)];

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
let count = 0;
for (const page of pages.filter((name) => name.endsWith(".md"))) {
  for (const [, code = ""] of readFileSync(join(root, page), "utf8").matchAll(/^```tsx?\n([\s\S]*?)^```$/gm)) {
    const name = /^\/\/ ([\w.-]+\.tsx?)\b/.exec(code)?.[1];
    if (!name) {
      console.error(`${page}: a sample does not name its file in its first line:\n${code}`);
      process.exit(1);
    }
    writeFileSync(join(folder, name), code);
    count++;
  }
}
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
  console.log(`${count} samples of ${pages.length} pages type-check against the built package.`);
} catch {
  process.exit(1);
}
