import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "node",
    include: ["{shared,workers,scripts,docs}/**/*.test.ts"],
    globalSetup: ["shared/testing/global-setup.ts"],
    // Tests start processes and signal themselves, which threads can't.
    pool: "forks",
    // The servers need their share of the machine, too.
    maxWorkers: Math.max(2, Math.floor(availableParallelism() / 2)),
    // Generous: tests wait for events, and a busy machine is no bug.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ["default", "./shared/testing/summary-reporter.ts"],
  },
});
