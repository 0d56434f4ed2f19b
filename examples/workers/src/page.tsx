import type { SessionSnapshot } from "catnap";
import { SessionProvider } from "catnap/react";
import { renderToString } from "react-dom/server";
import { App } from "./app";
import { session } from "./client";

/** The page, with the visitor's session in it: as markup, and as the snapshot that the browser starts from. */
export function renderPage(snapshot: SessionSnapshot): string {
  const app = renderToString(
    <SessionProvider client={session} initialSnapshot={snapshot}>
      <App />
    </SessionProvider>,
  );
  const json = JSON.stringify(snapshot).replaceAll("<", "\\u003c"); // no value can end the script element
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>Catnap</title>
    <link rel="icon" href="data:," />
    <script type="module" src="/main.js"></script>
  </head>
  <body>
    <div id="root">${app}</div>
    <script type="application/json" id="snapshot">${json}</script>
  </body>
</html>`;
}
