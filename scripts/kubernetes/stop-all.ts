/** `make stop-all`, `make resume`: all engines of an environment to zero now, and back under KEDA's care. */

import "../show/closed-pipe.ts";
import { printable, printableLines } from "../show/terminal/printable.ts";
import { DeployError } from "./deploy/kubectl.ts";
import { PAUSED, pausedEngines, WORKERS } from "./deploy/rollout.ts";
import { allowedCluster, type Cluster, environmentOf } from "./deploy/target.ts";

/** Longer than any terminationGracePeriodSeconds of ours. */
const DRAIN_TIMEOUT = "120s";

const howToCheck = (context: string, namespace: string) =>
  `Check: kubectl --context=${context} -n ${namespace} get scaledobjects,deployments,pods`;

const podsOf = ({ run }: Cluster, namespace: string) =>
  run(["-n", namespace, "get", "pods", "-l", WORKERS, "-o", "name"])
    .stdout.split("\n")
    .filter(Boolean);

function stopAll(cluster: Cluster, env: string, namespace: string): void {
  const { run, context } = cluster;
  const paused = pauseAll(cluster, namespace);
  // KEDA does this, too, if it lives; paused, it no longer undoes it.
  run(["-n", namespace, "scale", "deployments.apps", "-l", WORKERS, "--replicas=0"]);
  console.log(`Waiting for the workers to finish what they run, ${DRAIN_TIMEOUT} at most …`);
  // With the time over it says 1; what is left is counted below.
  run(
    ["-n", namespace, "wait", "--for=delete", "pods", "-l", WORKERS, `--timeout=${DRAIN_TIMEOUT}`],
    { ok: [0, 1] },
  );
  const left = podsOf(cluster, namespace);
  for (const pod of left) console.log(`still there: ${printable(pod)}`);
  console.log(
    `Jobs stay in their queues. A deploy does not undo this; make resume ENV=${env} does.`,
  );
  console.log(howToCheck(context, namespace));
  console.log(`stop-all: env=${env} context=${context} paused=${paused} pods_left=${left.length}`);
  if (left.length > 0 || paused === 0) process.exitCode = 1;
}

/** How many ScaledObjects it paused. An error is told and not thrown: the pods must go in any case. */
function pauseAll({ run }: Cluster, namespace: string): number {
  try {
    run([
      ...["-n", namespace, "annotate", "scaledobjects.keda.sh", "--all", "--overwrite"],
      `${PAUSED}=0`,
    ]);
    return pausedEngines(run, namespace).length;
  } catch (error) {
    if (!(error instanceof DeployError)) throw error;
    console.error(
      `The ScaledObjects are NOT paused, so KEDA may wake the engines again:\n${printableLines(error.message)}`,
    );
    return 0;
  }
}

function resume({ run, context }: Cluster, env: string, namespace: string): void {
  const paused = pausedEngines(run, namespace);
  run(["-n", namespace, "annotate", "scaledobjects.keda.sh", "--all", `${PAUSED}-`]);
  console.log("KEDA scales again, at its next look at the queues.");
  console.log(howToCheck(context, namespace));
  console.log(`resume: env=${env} context=${context} resumed=${paused.length}`);
}

try {
  const environment = environmentOf(process.env.ENV);
  const act = process.argv[2] === "resume" ? resume : stopAll;
  act(allowedCluster(environment), environment.name, environment.namespace);
} catch (error) {
  if (!(error instanceof DeployError)) throw error;
  console.error(printableLines(error.message));
  process.exitCode = 2;
}
