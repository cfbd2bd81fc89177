/** Ends a test run with one plain line, `N passed, N failed[, N skipped]`, for people and machines. */
import { appendFileSync } from "node:fs";
import type { Reporter, TestModule, TestRunEndReason } from "vitest/node";

/** Counts test cases; a file that fails to load, or an error outside of any test, is one failure. */
export function summarize(modules: readonly TestModule[], unhandledErrors: number) {
  const counts = { passed: 0, failed: unhandledErrors, skipped: 0 };
  for (const module of modules) {
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      // Still pending at the end: the run was broken off before it.
      counts[state === "pending" ? "skipped" : state]++;
    }
    if (module.errors().length > 0) counts.failed++;
    for (const suite of module.children.allSuites())
      counts.failed += suite.errors().length > 0 ? 1 : 0;
  }
  return counts;
}

export default class SummaryReporter implements Reporter {
  onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly unknown[],
    reason: TestRunEndReason,
  ): void {
    const { passed, failed, skipped } = summarize(modules, unhandledErrors.length);
    const line = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
    // A run in which nothing ran proves nothing.
    if (passed === 0 || failed > 0 || reason === "interrupted") process.exitCode = 1;
    // Whoever asks for a file adds up the lines of all runs at the very end of its own output.
    const file = process.env.TEST_SUMMARY_FILE;
    if (file) appendFileSync(file, `${line}\n`);
    else process.stdout.write(`${line}\n`);
  }
}
