import { SessionProvider } from "catnap/react";
import { hydrateRoot } from "react-dom/client";
import { App } from "./app";
import { session } from "./client";

const snapshot = JSON.parse(document.getElementById("snapshot")?.textContent ?? "");

hydrateRoot(
  document.getElementById("root") as HTMLElement,
  <SessionProvider client={session} initialSnapshot={snapshot}>
    <App />
  </SessionProvider>,
);
