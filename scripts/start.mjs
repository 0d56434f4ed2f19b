// `npm start`: installs if needed, builds, and serves the demo until it is stopped.
import { spawn } from "node:child_process";
import { ensureInstalled, npmCommand, npmOrExit } from "./install.mjs";

ensureInstalled();
npmOrExit("run", "--silent", "build");

// npm and its shell do not pass signals on to the server, so all three get them, as one process group.
const grouped = process.platform !== "win32";
const [command, args, options] = npmCommand(["run", "--silent", "serve", "-w", "apps/demo"]);
const demo = spawn(command, args, { ...options, detached: grouped });
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.on(signal, () => {
    if (grouped && demo.pid !== undefined) process.kill(-demo.pid, signal);
    else demo.kill(signal);
  });
}
demo.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 143)));
