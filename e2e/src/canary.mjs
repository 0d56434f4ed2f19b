// Loaded into the demo's process before anything of it. It plants canaries where secrets are made, and looks for them in
// every byte that leaves through a socket or a standard stream: tokens may leave as an HttpOnly cookie, and in no other
// way; the values of the demo's `secret` key may not leave at all. What is found is written to a file for the fixture.
import crypto from "node:crypto";
import { appendFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";

const report = process.env.CATNAP_LEAKS ?? "";
const { randomUUID, randomBytes } = crypto;
/** Every secret that this process has made, as text. */
const canaries = new Set();

crypto.randomUUID = (options) => {
  const id = `ca9a9155${randomUUID(options).slice(8)}`; // the demo's secret value
  canaries.add(id);
  return id;
};
crypto.randomBytes = (size, ...rest) => {
  const bytes = randomBytes(size, ...rest);
  if (size === 32 && Buffer.isBuffer(bytes)) canaries.add(bytes.toString("base64url"));
  return bytes;
};
syncBuiltinESMExports();

/** How much of what went before is looked at again: a secret may be cut in two. */
const overlap = 64;
const seen = new WeakMap();

function inspect(stream, chunk) {
  const text = typeof chunk === "string" ? chunk : Buffer.from(chunk ?? "").toString("latin1");
  const whole = (seen.get(stream) ?? "") + text;
  seen.set(stream, whole.slice(-overlap));
  const open = whole.replace(/^set-cookie: [^\r\n]*; httponly[^\r\n]*$/gim, "");
  for (const canary of canaries) {
    if (open.includes(canary)) appendFileSync(report, `${JSON.stringify(open.slice(0, 2_000))}\n`);
  }
}

const { write } = net.Socket.prototype;
net.Socket.prototype.write = function (chunk, ...rest) {
  inspect(this, chunk);
  return write.call(this, chunk, ...rest);
};
for (const stream of [process.stdout, process.stderr]) {
  const own = stream.write.bind(stream);
  stream.write = (chunk, ...rest) => {
    inspect(stream, chunk);
    return own(chunk, ...rest);
  };
}
