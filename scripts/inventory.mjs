// The public API is an inventory: every name that each subpath of the built package exports, with its kind, is in
// packages/catnap/inventory.txt, and so is `"use client"`, by which React Server Components take a module for the browser's.
// A new name shows in the diff: `node scripts/inventory.mjs --write` accepts it.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { root } from "./install.mjs";

const home = join(root, "packages", "catnap");
const listFile = join(home, "inventory.txt");

/** "catnap/server  value  createSessions", one line a name, sorted. */
function inventory() {
  const { exports } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  const subpaths = Object.keys(exports).filter((subpath) => exports[subpath].types);
  const files = subpaths.map((subpath) => join(home, exports[subpath].types));
  const missing = files.filter((file) => !existsSync(file));
  if (missing.length > 0) throw new Error(`Not built yet, run "npm run build" first: ${missing.join(", ")}`);
  const program = ts.createProgram(files, {
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    target: ts.ScriptTarget.ES2023,
    skipLibCheck: true,
    noEmit: true,
    types: [],
  });
  const checker = program.getTypeChecker();
  return subpaths.flatMap((subpath, index) => {
    const source = program.getSourceFile(files[index] ?? "");
    const module = source && checker.getSymbolAtLocation(source);
    const names = module ? checker.getExportsOfModule(module) : [];
    const address = `catnap${subpath.slice(1)}`;
    const code = readFileSync(join(home, exports[subpath].default), "utf8");
    const directive = code.startsWith('"use client"') ? [`${address}  "use client"`] : [];
    return [...directive, ...names.map((name) => `${address}  ${kindOf(name, checker)}  ${name.name}`).sort()];
  });
}

function kindOf(/** @type {ts.Symbol} */ symbol, /** @type {ts.TypeChecker} */ checker) {
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  return target.flags & ts.SymbolFlags.Value && !isTypeOnly(symbol) ? "value" : "type ";
}

function isTypeOnly(/** @type {ts.Symbol} */ symbol) {
  return symbol.declarations?.some((declaration) => ts.isTypeOnlyImportOrExportDeclaration(declaration)) ?? false;
}

/** `instanceof` needs each class once over all entries. */
function copiesOfClasses() {
  const code = readdirSync(join(home, "dist"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".js"))
    .map((file) => readFileSync(join(home, "dist", file), "utf8"))
    .join("\n");
  return ["Session", "SessionError"].map((name) => ({
    name,
    copies: code.match(new RegExp(`\\bclass ${name}\\b|\\b${name} = class\\b`, "g"))?.length ?? 0,
  }));
}

const now = inventory();
if (process.argv.includes("--write")) {
  writeFileSync(listFile, `${now.join("\n")}\n`);
  console.log(`Wrote ${now.length} names to packages/catnap/inventory.txt`);
} else {
  const before = existsSync(listFile) ? readFileSync(listFile, "utf8").trim().split("\n").filter(Boolean) : [];
  const changes = [
    ...before.filter((line) => !now.includes(line)).map((line) => `- ${line}`),
    ...now.filter((line) => !before.includes(line)).map((line) => `+ ${line}`),
  ];
  for (const change of changes) console.error(change);
  if (changes.length > 0) console.error('The public API changed: accept it with "node scripts/inventory.mjs --write"');
  const torn = copiesOfClasses().filter(({ copies }) => copies !== 1);
  for (const { name, copies } of torn)
    console.error(`The built package has ${copies} copies of class ${name}, not one`);
  if (changes.length > 0 || torn.length > 0) process.exit(1);
  console.log(`Inventory: ${now.length} names, as listed`);
}
