// Loaded into the demo's process before anything of it. While the file that `CATNAP_DEATH` names is there, the process
// kills itself at its next commit: `before` SQLite is told to commit, or `after` it has, and nobody was answered yet.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";

const order = process.env.CATNAP_DEATH ?? "";

function die(moment) {
  if (!existsSync(order) || readFileSync(order, "utf8") !== moment) return;
  rmSync(order);
  process.kill(process.pid, "SIGKILL");
}

// The driver that the store finds: see its `openFile`.
const builtin = process.getBuiltinModule?.("node:sqlite")?.DatabaseSync;
const { prototype } = builtin ?? createRequire(import.meta.resolve("catnap/sqlite"))("libsql");

const { exec } = prototype;
prototype.exec = function (sql) {
  if (sql !== "COMMIT") return exec.call(this, sql);
  die("before");
  const done = exec.call(this, sql);
  die("after");
  return done;
};
