import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig(({ isSsrBuild }) => ({
  plugins: [react()],
  build: { target: isSsrBuild ? "node20" : "baseline-widely-available" },
  // Catnap is linked within this repository; a linked package would otherwise go into the server's bundle.
  ssr: { external: ["catnap"] },
}));
