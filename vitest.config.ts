import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // Half as many again as there are cores: many a test waits for a server.
    maxWorkers: Math.ceil(1.5 * availableParallelism()),
    coverage: {
      provider: "v8",
      include: ["packages/*/src/**/*.{ts,tsx}"],
      exclude: ["**/*.test.{ts,tsx}", "**/*.test-d.ts", "**/*.d.ts"],
      reporter: ["text", "html"],
    },
    projects: [
      {
        test: {
          name: "node",
          environment: "node",
          include: ["packages/*/{src,test}/**/*.test.{ts,tsx}", "scripts/**/*.test.mjs"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Beside the searches, which take both cores, a second is not long.
          expect: { poll: { timeout: 10_000 } },
        },
      },
    ],
  },
});
