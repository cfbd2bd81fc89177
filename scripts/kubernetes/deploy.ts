/** `make deploy-dev`, `make deploy-staging`: shows the difference, applies it in order, waits for it. */

import "../show/closed-pipe.ts";
import { printableLines } from "../show/terminal/printable.ts";
import { expectOperators, expectSecrets } from "./deploy/cluster-needs.ts";
import { DeployError, type Kubectl } from "./deploy/kubectl.ts";
import { describeObject, render, toYaml } from "./deploy/render.ts";
import { awaitRollout, pausedEngines } from "./deploy/rollout.ts";
import { runSetupJob } from "./deploy/setup-job.ts";
import { allowedCluster, environmentOf } from "./deploy/target.ts";
import type { SourceObject } from "./read/documents.ts";

/** These wait for the setup Job: new workers refuse to start without its tables and queues. */
const AFTER_SETUP = ["Deployment", "ScaledObject"];

function showDifference(run: Kubectl, namespace: string, objects: SourceObject[]): void {
  const there = run(["get", "namespace", namespace, "--ignore-not-found", "-o", "name"]).stdout;
  if (there.trim() === "") {
    console.log(`The namespace ${namespace} is new. All of this is created:`);
    for (const object of objects) console.log(`  ${describeObject(object)}`);
    return;
  }
  // The Job can't be compared: it is immutable, and made anew each time.
  const compared = objects.filter(({ kind }) => kind !== "Job");
  const { status, stdout } = run(["diff", "-f", "-"], { input: toYaml(compared), ok: [0, 1] });
  console.log(status === 0 ? "No difference to what runs." : printableLines(stdout.trimEnd()));
}

/** How many objects it changed, as kubectl tells them. */
function apply(run: Kubectl, objects: SourceObject[]): number {
  if (objects.length === 0) return 0;
  const { stdout } = run(["apply", "-f", "-"], { input: toYaml(objects) });
  process.stdout.write(printableLines(stdout));
  return stdout.split("\n").filter((line) => / (created|configured)\b/.test(line)).length;
}

async function deploy(): Promise<void> {
  const startedAtMs = Date.now();
  const environment = environmentOf(process.env.ENV);
  const { name, namespace } = environment;
  const { context, run } = allowedCluster(environment);
  const { objects } = render(environment);
  const of = (...kinds: string[]) => objects.filter(({ kind }) => kinds.includes(kind));
  expectOperators(run, objects);
  showDifference(run, namespace, objects);
  const end = (changed: number) =>
    console.log(
      `deploy: env=${name} context=${context} objects=${objects.length} changed=${changed} engines=${of("ScaledObject").length} seconds=${((Date.now() - startedAtMs) / 1_000).toFixed(1)}`,
    );
  if (process.env.DRY_RUN) {
    console.log("DRY_RUN: nothing was applied.");
    return end(0);
  }
  let changed = apply(
    run,
    objects.filter(({ kind }) => kind !== "Job" && !AFTER_SETUP.includes(kind)),
  );
  expectSecrets(run, namespace, objects);
  for (const job of of("Job")) {
    console.log(`Running the Job ${job.name}: migrations and topology …`);
    await runSetupJob(run, namespace, job);
  }
  changed += apply(run, of(...AFTER_SETUP));
  awaitRollout(run, namespace, of("Deployment"));
  console.log(
    run(["-n", namespace, "get", "deployments.apps,scaledobjects.keda.sh"]).stdout.trimEnd(),
  );
  const paused = pausedEngines(run, namespace);
  if (paused.length > 0)
    console.log(`Stopped, and still so: ${paused.join(", ")}. To go on: make resume ENV=${name}`);
  end(changed);
}

try {
  await deploy();
} catch (error) {
  if (!(error instanceof DeployError)) throw error;
  console.error(printableLines(error.message));
  process.exitCode = error.code === "setup_failed" || error.code === "rollout_failed" ? 1 : 2;
}
