import { besideAttackers } from "./attack.ts";
import { besideBrowser } from "./browser.ts";
import { capacity } from "./capacity.ts";
import { type Figure, table } from "./figure.ts";
import { besideFew } from "./growth.ts";
import { besideExpress, besideTrpc } from "./http.ts";
import { besideFewKeys } from "./keys.ts";
import { besideLibraries } from "./libraries.ts";
import { besideUnlinked } from "./link.ts";
import { besidePeers } from "./peers.ts";
import { besideBudget } from "./size.ts";
import { besideSqlite } from "./sqlite.ts";
import { besideServers } from "./stores.ts";
import { besideUnchecked } from "./versions.ts";

const subjects = {
  trpc: besideTrpc,
  sqlite: besideSqlite,
  express: besideExpress,
  peers: besidePeers,
  attack: besideAttackers,
  stores: besideServers,
  growth: besideFew,
  keys: besideFewKeys,
  versions: besideUnchecked,
  capacity,
  link: besideUnlinked,
  size: besideBudget,
  browser: besideBrowser,
  libraries: besideLibraries,
};

/** `npm run bench` runs all subjects; names on the command line choose among them. */
const chosen = process.argv.slice(2);
const figures: Figure[] = [];
for (const [name, run] of Object.entries(subjects)) {
  if (chosen.length === 0 || chosen.includes(name)) figures.push(...(await run()));
}
if (figures.length > 0) console.log(table(figures));
process.exit();
