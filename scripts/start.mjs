// `npm start`: installs if needed, builds, and serves the demo until it is stopped.
import { spawn } from "node:child_process";
import { ensureInstalled, npmCommand, npmOrExit } from "./install.mjs";

ensureInstalled();
npmOrExit("run", "--silent", "build");

const demo = spawn(...npmCommand(["run", "--silent", "serve", "-w", "apps/demo"]));
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.on(signal, () => demo.kill(signal));
}
demo.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 143)));
