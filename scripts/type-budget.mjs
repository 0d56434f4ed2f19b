// Holds the price of Catnap's types: what the type check of an app costs more with a session of 300 keys than with one
// of 20, over the same 300 schemas, counted in type instantiations, which are the same on every machine.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const keys = 300;
const budget = 25_000;
const folder = join(import.meta.dirname, "..", "packages", "server", ".cache", "type-budget");

const names = Array.from({ length: keys }, (_, i) => `key${i}`);
const schemas = [
  "z.string()",
  'z.enum(["a", "b"]).default("a")',
  "z.object({ id: z.string(), n: z.number() })",
  "z.array(z.number()).default([])",
];
const shape = names.map((name, i) => `  ${name}: ${schemas[i % schemas.length]},`).join("\n");
const bare = `import { z } from "zod";\nexport const shape = {\n${shape}\n};\n`;
const used = names.slice(0, 20);

/** @param {string} shared */
const app = (shared) => `
import { defineSession } from "@catnap/shared";
import { createTRPCClient, httpLink } from "@trpc/client";
import { initTRPC } from "@trpc/server";
import { createSessions, type WakeSource } from "../../src/index.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { shape } from "./shape.ts";
const shop = defineSession({ shared: ${shared} });
const sessions = createSessions({ definition: shop, store: memoryStore() });
const t = initTRPC.context<{ session: ReturnType<typeof sessions.wake> }>().create();
const procedure = t.procedure.use(sessions.middleware);
export const appRouter = t.router({
  session: sessions.router({ procedure }),
${used.map((name) => `  read_${name}: procedure.query(({ ctx }) => ctx.session.value("${name}")),`).join("\n")}
});
const client = createTRPCClient<typeof appRouter>({ links: [httpLink({ url: "" })] });
void [${used
  .filter((_, i) => i % 4 === 0)
  .map((name) => `client.session.setValue.mutate({ key: "${name}", value: "x" })`)
  .join(", ")}];
export const context = (source: WakeSource) => ({ session: sessions.wake(source) });
`;
const few = `{ ${used.map((name) => `${name}: shape.${name}`).join(", ")} }`;

/** @param {string} source */
function instantiations(source) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "shape.ts"), bare);
  writeFileSync(join(folder, "app.ts"), source);
  const config = { extends: "../../tsconfig.test.json", include: ["./*.ts"], exclude: [] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const tsc = join(import.meta.dirname, "..", "node_modules", "typescript", "bin", "tsc");
  const output = execFileSync(process.execPath, [tsc, "-p", folder, "--noEmit", "--extendedDiagnostics"], {
    encoding: "utf8",
  });
  return Number(/^Instantiations:\s+(\d+)/m.exec(output)?.[1]);
}

try {
  const [without, withIt] = [instantiations(app(few)), instantiations(app("shape"))];
  const price = withIt - without;
  console.log(
    `A session of ${keys} keys costs ${price} type instantiations more than the ${without} of an app with 20 (budget ${budget}).`,
  );
  if (!(price <= budget)) {
    console.error("Over the budget: find the type that grows with the keys, or raise the budget and say why.");
    process.exitCode = 1;
  }
} catch (error) {
  // What tsc found is on its standard output.
  console.error(/** @type {{ stdout?: string }} */ (error).stdout ?? error);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
