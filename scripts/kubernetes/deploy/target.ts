/** What an environment's overlay is meant for: `target.yaml` beside it, and the refusal of any other cluster. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, YAMLParseError } from "yaml";
import { z } from "zod";
import { REPOSITORY } from "../../repository.ts";
import { environmentNames, OVERLAYS } from "../read/environments.ts";
import { DeployError, type Kubectl, kubectl, kubectlIn } from "./kubectl.ts";

const DEFAULT_ENVIRONMENT = "dev";

export const Target = z.strictObject({
  /** Contexts of kubectl that may be touched. */
  kubeContexts: z.array(z.string().min(1)).min(1),
  /** Connections that the database takes from all workers together. */
  postgresConnections: z.number().int().positive(),
  /** Connections that the broker takes from all workers together. */
  amqpConnections: z.number().int().positive(),
  /** Messages without an ack past which the broker cuts a connection. */
  unackedMessagesPerConnection: z.number().int().positive(),
  /** Whether `make try-cluster` may make this environment's namespace, and remove it. */
  allowsTries: z.boolean().default(false),
});
type Target = z.output<typeof Target>;

export interface Environment {
  /** `dev`, `staging`. */
  name: string;
  namespace: string;
  /** Folder of its overlay. */
  overlay: string;
}

/** @param name of an overlay; empty is dev. @throws {DeployError} */
export function environmentOf(name = ""): Environment {
  const chosen = name === "" ? DEFAULT_ENVIRONMENT : name;
  const known = environmentNames(REPOSITORY);
  if (!known.includes(chosen))
    throw new DeployError(
      "bad_environment",
      `ENV=${chosen} is no environment: manifests/overlays has ${known.join(", ")}.`,
    );
  return {
    name: chosen,
    namespace: `tl-engine-${chosen}`,
    overlay: join(REPOSITORY, OVERLAYS, chosen),
  };
}

/** @throws {DeployError} */
export function readTarget({ name, overlay }: Environment): Target {
  const file = `manifests/overlays/${name}/target.yaml`;
  let value: unknown;
  try {
    value = parse(readFileSync(`${overlay}/target.yaml`, "utf8"));
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw new DeployError("bad_environment", `${file}: ${error.message}`, { cause: error });
  }
  const parsed = Target.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new DeployError("bad_environment", `${file}:\n${z.prettifyError(parsed.error)}`);
}

export interface Cluster {
  context: string;
  run: Kubectl;
}

/**
 * The cluster that kubectl points to now, if the environment's list allows it.
 * @throws {DeployError} `context_refused`
 */
export function allowedCluster(environment: Environment): Cluster {
  const { kubeContexts } = readTarget(environment);
  const context = kubectl(["config", "current-context"], { ok: [0, 1] }).stdout.trim();
  if (!kubeContexts.includes(context))
    throw new DeployError(
      "context_refused",
      `kubectl points to ${context === "" ? "no cluster" : `the context ${context}`}, not one for ${environment.name}.\n` +
        `Allowed: ${kubeContexts.join(", ")} (manifests/overlays/${environment.name}/target.yaml).\n` +
        `Choose one: kubectl config use-context ${kubeContexts[0]}`,
    );
  return { context, run: kubectlIn(context) };
}
