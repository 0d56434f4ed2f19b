import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // All cores: Vitest leaves one to itself, which of two is half.
    maxWorkers: "100%",
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
