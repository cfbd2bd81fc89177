/** Puts the try into the cluster in a deploy's order: quotas and networks, Secrets and servers, migrations and topology, engines. */
import { describeObject, toYaml } from "../deploy/render.ts";
import type { SourceObject } from "../read/documents.ts";
import { findTrouble } from "./diagnose.ts";
import type { TriedCluster } from "./kubectl.ts";
import type { TryObjects } from "./objects.ts";
import { type Passwords, secretsYaml } from "./secrets.ts";
import { TryError } from "./try-error.ts";
import { type Patience, until, untilReady } from "./wait.ts";

const AFTER_SETUP = ["Deployment", "ScaledObject"];

export async function applyTry(
  cluster: TriedCluster,
  { fleet, services }: TryObjects,
  passwords: Passwords,
  patience: Patience,
): Promise<void> {
  const { say } = patience;
  const of = (...kinds: string[]) => fleet.filter(({ kind }) => kinds.includes(kind));
  const before = fleet.filter(({ kind }) => kind !== "Job" && !AFTER_SETUP.includes(kind));
  // Created, not applied: one that came to be meanwhile is somebody's.
  await cluster.run(["create", "-f", "-"], { input: toYaml(of("Namespace")) });
  await apply(
    cluster,
    before.filter(({ kind }) => kind !== "Namespace"),
  );
  // By standard input: what is on a command line, every process list shows.
  const secrets = secretsYaml(fleet, cluster.namespace, passwords);
  await cluster.run(["create", "-f", "-"], { input: secrets });
  await apply(cluster, services);
  const servers = services.filter(({ kind }) => kind === "Deployment").map(({ name }) => name);
  await untilReady(cluster, servers, patience);
  for (const job of of("Job")) {
    await apply(cluster, [job]);
    await untilDone(cluster, job, patience);
  }
  await apply(cluster, of(...AFTER_SETUP));
  say(`Applied: ${[...fleet, ...services].length} objects.`);
  await untilScaled(cluster, of("ScaledObject"), patience);
}

async function apply(cluster: TriedCluster, objects: readonly SourceObject[]): Promise<void> {
  if (objects.length > 0) await cluster.run(["apply", "-f", "-"], { input: toYaml([...objects]) });
}

interface WithConditions {
  status?: { conditions?: { type: string; status: string; message?: string }[] };
}

async function untilDone(cluster: TriedCluster, job: SourceObject, patience: Patience) {
  const probe = async () => {
    const { status } = await cluster.read<WithConditions>(["get", "job", job.name]);
    const is = (type: string) =>
      status?.conditions?.some((it) => it.type === type && it.status === "True");
    if (is("Complete")) return true;
    if (is("Failed")) {
      const log = await cluster.run(["logs", `job/${job.name}`, "--all-containers", "--tail=30"], {
        ok: [0, 1],
      });
      throw new TryError(
        "crashing",
        `The Job ${job.name} (migrations, topology) failed.\n${log.trim()}\nLook: ${cluster.command("describe", `job/${job.name}`)}`,
      );
    }
    const trouble = await findTrouble(cluster);
    // The API server knows of no room that a finished pod is about to leave; a Job starts again by itself.
    if (trouble && !["unschedulable", "crashing"].includes(trouble.code)) throw trouble;
    return undefined;
  };
  await until(
    `the Job ${job.name}`,
    patience,
    probe,
    cluster.command("describe", `job/${job.name}`),
  );
}

/** KEDA has made the HPAs: only then does a queue's depth mean anything. */
async function untilScaled(
  cluster: TriedCluster,
  scaledObjects: readonly SourceObject[],
  patience: Patience,
) {
  const probe = async () => {
    const { items } = await cluster.read<{
      items: (WithConditions & { metadata: { name: string } })[];
    }>(["get", "scaledobjects.keda.sh"]);
    const isReady = (name: string) =>
      items
        .find(({ metadata }) => metadata.name === name)
        ?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
    return scaledObjects.every(({ name }) => isReady(name)) || undefined;
  };
  const names = scaledObjects.map(describeObject).join(", ");
  const look = cluster.command("describe", "scaledobjects.keda.sh");
  await until(`KEDA to take up ${names}`, patience, probe, look);
}
