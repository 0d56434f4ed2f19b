import { readFileSync } from "node:fs";
import { SessionProvider } from "catnap/react";
import { StrictMode } from "react";
import { renderToString } from "react-dom/server";
import { openSession } from "../client.ts";
import { App } from "../view/app.tsx";
import { sessions } from "./sessions.ts";

const template = readFileSync(new URL("../client/index.html", import.meta.url), "utf8");

/** The page with the visitor's session in it, as markup to look at and as the snapshot that the browser starts from. */
export async function renderPage(request: Request): Promise<Response> {
  const snapshot = await sessions.wake(request).snapshot();
  const session = openSession(snapshot);
  const app = renderToString(
    <StrictMode>
      <SessionProvider client={session}>
        <App />
      </SessionProvider>
    </StrictMode>,
  );
  // Functions: in a replacement string, "$" would have a meaning.
  const html = template
    .replace('data-theme="light"', () => `data-theme="${session.value("theme")}"`)
    .replace("<!--page-->", () => app)
    .replace("<!--snapshot-->", () => `<script id="snapshot" type="application/json">${toScript(snapshot)}</script>`);
  return new Response(html, { headers });
}

const headers = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "private, no-cache",
  vary: "Cookie",
  // Catnap asks nothing of a policy: neither inline scripts or styles, nor eval, workers, or strings made into markup.
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; "),
  "x-content-type-options": "nosniff",
};

/** JSON that no value can break out of: without "<" there is no "</script>". */
function toScript(data: unknown): string {
  return JSON.stringify(data).replaceAll("<", "\\u003c");
}
