import { invalid, known, shown } from "@catnap/shared";

/** Checks the options of `createSessionClient`, in development alone: they are the app's code. Throws `INVALID_OPTION`. */
export function checkOptions(options: unknown, names: readonly string[]): void {
  known("createSessionClient", options, names);
  const { definition, http } = options as { definition?: { keys?: unknown }; http?: { url?: unknown } | null };
  if (!(definition?.keys instanceof Map)) {
    throw invalid(`definition is ${shown(definition)}: pass what defineSession of this version of catnap returned`);
  }
  if (typeof http !== "object" || http === null) {
    throw invalid(`http is ${shown(http)}: pass the object that your httpLink gets`);
  }
  if (!http.url) throw invalid(`http.url is ${shown(http.url)}: give the URL of your tRPC route`);
}
