/** Migrations and topology: the Job that must have ended well before any worker is replaced. */
import { setTimeout as sleep } from "node:timers/promises";
import type { SourceObject } from "../read/documents.ts";
import { DeployError, type Kubectl } from "./kubectl.ts";
import { toYaml } from "./render.ts";

/** A little more than the Job's own activeDeadlineSeconds. */
const PATIENCE_MS = 630_000;
const POLL_MS = 1_000;

/** @throws {DeployError} `setup_failed`, with the end of its log. */
export async function runSetupJob(run: Kubectl, namespace: string, job: SourceObject) {
  // A Job can't be changed: the last deploy's goes first.
  run(["-n", namespace, "delete", "job", job.name, "--ignore-not-found", "--wait=true"]);
  run(["apply", "-f", "-"], { input: toYaml([job]) });
  for (const startedAtMs = Date.now(); Date.now() - startedAtMs < PATIENCE_MS; ) {
    const { stdout } = run(["-n", namespace, "get", "job", job.name, "-o", "json"]);
    const { status } = JSON.parse(stdout) as {
      status?: { conditions?: { type: string; status: string }[] };
    };
    const is = (type: string) =>
      status?.conditions?.some((it) => it.type === type && it.status === "True") ?? false;
    if (is("Complete")) return;
    if (is("Failed")) throw failed(run, namespace, job, "failed");
    await sleep(POLL_MS);
  }
  throw failed(run, namespace, job, "did not end in time");
}

function failed(run: Kubectl, namespace: string, { name }: SourceObject, how: string) {
  const log = run(
    ["-n", namespace, "logs", `job/${name}`, "--all-containers", "--tail=30"],
    // It may have no pod whose log could be read.
    { ok: [0, 1] },
  ).stdout.trim();
  return new DeployError(
    "setup_failed",
    `The Job ${name} (migrations, topology) ${how}. The old workers run on; nothing was replaced.\n` +
      `${log || "It has no log."}\nMore: kubectl -n ${namespace} describe job/${name}`,
  );
}
