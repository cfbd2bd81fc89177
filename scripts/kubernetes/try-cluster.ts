/** `make try-cluster ENV=dev`: the overlay in a real cluster: a burst, a killed pod, back to zero, and nothing left behind. */
import "../show/closed-pipe.ts";
import { mkdirSync, writeFileSync } from "node:fs";
import { REPOSITORY } from "../repository.ts";
import { printableLines } from "../show/terminal/printable.ts";
import { DeployError } from "./deploy/kubectl.ts";
import { type Environment, environmentOf } from "./deploy/target.ts";
import { applyTry } from "./try-cluster/apply.ts";
import { triedCluster } from "./try-cluster/kubectl.ts";
import { loadImages, loadsImages } from "./try-cluster/load-images.ts";
import { tryObjects } from "./try-cluster/objects.ts";
import { readOptions, type TryOptions } from "./try-cluster/options.ts";
import { allowedContext, expectFree, expectKeda } from "./try-cluster/preflight.ts";
import { howToLook, removeTry } from "./try-cluster/remove.ts";
import { newRunId, type Outcome, runTrial } from "./try-cluster/run.ts";
import { newPasswords } from "./try-cluster/secrets.ts";
import { TryError } from "./try-cluster/try-error.ts";
import { describeSamples } from "./try-cluster/watch-replicas.ts";

const EXIT_FAILED = 1;
const EXIT_MISUSED = 2;
const EXIT_INTERRUPTED = 130;
const POLL_MS = 2_000;
/** Of each step that waits: images are pulled in it. */
const STEP_TIMEOUT_MS = 300_000;
const FOLDER = `${REPOSITORY}out/try-cluster`;

const say = (line: string) => process.stderr.write(`${printableLines(line)}\n`);

async function tryCluster(
  options: TryOptions,
  environment: Environment,
  interrupted: AbortSignal,
): Promise<number> {
  const { registry, tag, jobs, keep } = options;
  const context = allowedContext(environment);
  const cluster = triedCluster(context, environment.namespace, interrupted);
  const runId = newRunId();
  const areLoaded = loadsImages(context, registry);
  const objects = tryObjects(environment, { registry, tag, areLoaded }, runId);
  const keda = await expectKeda(cluster);
  await expectFree(cluster);
  say(`try-cluster: ${environment.name} in ${context}, KEDA ${keda}, run ${runId}`);
  if (objects.leftOut.length > 0) say(`Left out: ${objects.leftOut.join(", ")}.`);
  if (areLoaded) loadImages(context, objects.images);
  const patience = { timeoutMs: STEP_TIMEOUT_MS, pollMs: POLL_MS, signal: interrupted, say };
  const passwords = newPasswords();
  isBegun = true;
  try {
    await applyTry(cluster, objects, passwords, patience);
    const { prefix } = objects;
    const outcome = await runTrial({ cluster, prefix, runId, passwords, jobs, patience });
    return tell(outcome, jobs);
  } finally {
    // Neither Ctrl-C nor a failure leaves anything in a cluster that somebody pays for.
    if (keep) say(howToLook(cluster, runId));
    else await removeTry(cluster.uninterrupted(), runId, say);
  }
}

/** Says it, and gives the exit status. */
function tell(outcome: Outcome, jobs: number): number {
  const { verdict, burst, samples, simulated, peakReplicas, zeroAfterS } = outcome;
  const { lost, doubled, failed, examples } = verdict;
  const seconds = (value: number | undefined) => value?.toFixed(0) ?? "never";
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}/try-cluster.json`, `${JSON.stringify(outcome, null, 2)}\n`);
  console.log("Ready of all replicas, from the first publish on:");
  for (const line of describeSamples(samples, burst.startedAtMs)) console.log(line);
  console.log(
    `Published within ${burst.seconds.toFixed(1)} s, ${burst.repeated} of them again. The simulator: at most ${simulated.peakReplicas} replicas.`,
  );
  for (const example of examples) console.log(printableLines(example));
  if (failed > 0) console.log(`${failed} jobs ended without success.`);
  console.log("Written: out/try-cluster/try-cluster.json");
  const figures = {
    ...{ jobs, lost, doubled, peak_replicas: peakReplicas },
    zero_after_s: seconds(zeroAfterS),
    simulated_zero_after_s: seconds(simulated.zeroAfterS),
  };
  lastLine = `try-cluster: ${Object.entries(figures)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ")}`;
  return lost + doubled + failed > 0 || zeroAfterS === undefined ? EXIT_FAILED : 0;
}

/** From then on there is something to remove; what is refused before is for a person to put right. */
let isBegun = false;
/** Written when all is removed, which has a word to say, too. */
let lastLine: string | undefined;
const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const)
  process.once(name, () => {
    say("Stopping; what was made is removed. Once more leaves it there.");
    stop.abort(new TryError("interrupted", `Ended by ${name}.`));
  });

try {
  const options = readOptions(process.env);
  process.exitCode = await tryCluster(options, environmentOf(options.environment), stop.signal);
} catch (error) {
  const reason: unknown =
    stop.signal.aborted && !(error instanceof TryError) ? stop.signal.reason : error;
  if (!(reason instanceof TryError || reason instanceof DeployError)) throw error;
  say(reason.message);
  if (stop.signal.aborted) process.exitCode = EXIT_INTERRUPTED;
  else process.exitCode = isBegun ? EXIT_FAILED : EXIT_MISUSED;
}
if (lastLine !== undefined) console.log(lastLine);
