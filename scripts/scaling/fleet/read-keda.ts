/** The ScaledObjects of `keda/` as this machine can run them: its broker, its prefix, its cores. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { BadFiles } from "../../kubernetes/read/bad-files.ts";
import type { Problem } from "../../kubernetes/read/documents.ts";
import { readScaledObjects } from "../keda/read-scaled-objects.ts";
import type { ScaledObject } from "../keda/scaled-object.ts";
import { credentialsOf } from "../keda/trigger-authentication.ts";

export interface KedaOptions {
  /** Folder with `<engine>.yaml`. */
  folder: string;
  amqpUrl: string;
  /** Of the broker of `amqpUrl`, with user and password. */
  managementUrl: string;
  /** ENGINE_PREFIX, which the queues' names begin with. */
  prefix: string;
  /** No engine gets more, whatever its file says. */
  maxReplicas?: number;
}

/** A fleet that could ask nobody would stand at zero, and say that all went well. */
function unaskable({ triggers, source }: ScaledObject): Problem[] {
  return triggers.flatMap(({ protocol }, index) => {
    if (protocol === "http") return [];
    const path = ["spec", "triggers", index, "metadata", "protocol"];
    const [file, line] = [source.fileOf?.(path) ?? source.file, source.lineOf(path)];
    const message = `the local fleet asks the management API, not over ${protocol}, which counts ready messages only`;
    return [{ file, line, rule: "keda-protocol", message, fix: "write protocol: http" }];
  });
}

/** Prefix that the files are written for. */
const WRITTEN_PREFIX = "engine";

/** Throws BadFiles, with all that KEDA would refuse. */
export function readKeda(options: KedaOptions): ScaledObject[] {
  const { folder, prefix, maxReplicas = Number.POSITIVE_INFINITY } = options;
  const files = readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .sort()
    .map((file) => join(folder, file));
  const vhost = new URL(options.amqpUrl).pathname;
  const host = `${options.managementUrl.replace(/\/$/, "")}${vhost}`;
  const { scaledObjects, problems } = readScaledObjects(files, credentialsOf(host));
  problems.push(...scaledObjects.flatMap(unaskable));
  if (problems.length > 0) throw new BadFiles(problems);
  return scaledObjects.map((scaledObject) => ({
    ...scaledObject,
    minReplicaCount: Math.min(scaledObject.minReplicaCount, maxReplicas),
    maxReplicaCount: Math.min(scaledObject.maxReplicaCount, maxReplicas),
    triggers: scaledObject.triggers.map((trigger) => ({
      ...trigger,
      queueName: trigger.queueName.replace(`${WRITTEN_PREFIX}.`, () => `${prefix}.`),
    })),
  }));
}
