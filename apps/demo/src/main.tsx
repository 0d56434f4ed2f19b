import "./without-eval.ts";
import type { SessionSnapshot } from "catnap";
import { SessionProvider } from "catnap/react";
import { StrictMode } from "react";
import { hydrateRoot } from "react-dom/client";
import { startSession } from "./client.ts";
import { App } from "./view/app.tsx";

// Both are of our own page: see server/page.tsx.
const snapshot = JSON.parse(document.getElementById("snapshot")?.textContent ?? "null") as SessionSnapshot;
const root = document.getElementById("root") as HTMLElement;

const session = startSession(snapshot);

hydrateRoot(
  root,
  <StrictMode>
    <SessionProvider client={session}>
      <App />
    </SessionProvider>
  </StrictMode>,
);

session.update("visits", (count) => count + 1);
