// Brings examples/package-lock.json up to date with the package.json of each example, and with the package's own
// dependencies: npm cannot do so there, as long as the registry does not have the package.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { examples, stage, stageExamples, withoutTarball } from "./stage-examples.mjs";

stageExamples();
const staged = join(stage, "package-lock.json");
const lock = JSON.parse(readFileSync(staged, "utf8"));
delete lock.packages["node_modules/catnap"]; // or npm would not look into the tarball for what it needs today
writeFileSync(staged, JSON.stringify(lock));
execFileSync("npm", ["install", "--package-lock-only", "--include=dev", "--prefer-offline"], {
  cwd: stage,
  stdio: "inherit",
  shell: process.platform === "win32",
});
const updated = withoutTarball(JSON.parse(readFileSync(staged, "utf8")));
writeFileSync(join(examples, "package-lock.json"), `${JSON.stringify(updated, null, 2)}\n`);
