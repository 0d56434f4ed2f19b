import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** Whether this machine has one. */
export const hasRedis = () => spawnSync("redis-server", ["--version"]).status === 0;

/** A Redis server of one's own on a free port: its address, and what ends it. */
export async function startRedis() {
  const folder = mkdtempSync(join(tmpdir(), "catnap-redis-"));
  const port = await freePort();
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder];
  const server = spawn("redis-server", args, { stdio: "ignore" });
  process.once("exit", () => void server.kill("SIGKILL"));
  for (const end = performance.now() + 20_000; !(await answers(port)); await pause(20)) {
    if (server.exitCode !== null || performance.now() > end) throw new Error("redis-server does not come up");
  }
  async function stop() {
    const exited = once(server, "exit");
    server.kill();
    await exited;
    rmSync(folder, { recursive: true });
  }
  return { url: `redis://127.0.0.1:${port}`, stop };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Whether a server on that port says PONG. */
async function answers(/** @type {number} */ port) {
  const socket = connect(port, "127.0.0.1");
  try {
    socket.write("PING\r\n");
    const [chunk] = await once(socket, "data");
    return String(chunk).startsWith("+PONG");
  } catch {
    // Not yet.
    return false;
  } finally {
    socket.destroy();
  }
}
