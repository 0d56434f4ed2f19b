import type { ReactNode } from "react";
import { snapshot } from "../sessions";
import { Provider } from "./provider";

export const metadata = { title: "Catnap with Next", icons: "data:," };

export default async function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <Provider snapshot={await snapshot()}>{children}</Provider>
      </body>
    </html>
  );
}
