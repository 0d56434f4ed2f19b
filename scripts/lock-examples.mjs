// Brings examples/package-lock.json up to date with the package.json of each example, and with the package's own
// dependencies: npm cannot do so there, as long as the registry does not have the package.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { examples, stage, stageExamples, withoutTarball } from "./stage-examples.mjs";

stageExamples();
execFileSync("npm", ["install", "--package-lock-only", "--include=dev", "--prefer-offline"], {
  cwd: stage,
  stdio: "inherit",
  shell: process.platform === "win32",
});
const lock = withoutTarball(JSON.parse(readFileSync(join(stage, "package-lock.json"), "utf8")));
writeFileSync(join(examples, "package-lock.json"), `${JSON.stringify(lock, null, 2)}\n`);
