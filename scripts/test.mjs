// `npm test`: everything that can be checked, first without and then with a browser.
import { ensureInstalled, npmOrExit } from "./install.mjs";

ensureInstalled();
npmOrExit("run", "check");
npmOrExit("run", "e2e");
