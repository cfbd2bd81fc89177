/** Checks what keda/ and manifests/ would apply: against schemas, KEDA's own rules and ours. No cluster is asked. */
import "../show/closed-pipe.ts";
import { parseArgs } from "node:util";
import { loadWorkers } from "../workers.ts";
import { repositoryFiles } from "./kustomize/files.ts";
import { lintManifests } from "./lint/lint.ts";
import { READER_RULES, RULES } from "./lint/rules.ts";
import { describeProblem } from "./read/bad-files.ts";

const { values } = parseArgs({
  options: { json: { type: "boolean" }, explain: { type: "boolean" } },
});
const on = (given: boolean | undefined, variable: string | undefined) =>
  given === true || (variable !== undefined && variable !== "" && variable !== "0");

if (on(values.explain, process.env.EXPLAIN)) {
  const reasons = { ...READER_RULES, ...Object.fromEntries(RULES.map((r) => [r.name, r.reason])) };
  for (const [name, reason] of Object.entries(reasons)) console.log(`${name.padEnd(26)}${reason}`);
} else {
  const workers = await loadWorkers();
  const { problems, ...counts } = await lintManifests(
    repositoryFiles(),
    workers.map(({ definition }) => definition),
  );
  if (on(values.json, process.env.JSON)) {
    console.log(JSON.stringify({ ...counts, problems }, null, 2));
  } else {
    for (const problem of problems) console.log(describeProblem(problem));
    console.log(
      `lint-manifests: files=${counts.files} objects=${counts.objects} rules=${counts.rules} problems=${problems.length}`,
    );
  }
  process.exitCode = problems.length > 0 ? 1 : 0;
}
