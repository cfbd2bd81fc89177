/** A cluster in Docker, by kind or k3d, whichever is there, under the name that the overlay allows. */
import { spawnSync } from "node:child_process";
import { CLUSTER_NAME, KEDA_MANIFEST, KEDA_VERSION } from "./pinned.ts";
import { TryError } from "./try-error.ts";

type Tool = "kind" | "k3d";
interface CommandLine {
  file: string;
  args: string[];
}

const TIMEOUT_MS = 600_000;
const KEDA_TIMEOUT_S = 300;

const COMMANDS: Record<Tool, Record<"list" | "create" | "remove", string[]>> = {
  kind: {
    list: ["get", "clusters"],
    create: ["create", "cluster", "--name", CLUSTER_NAME, "--wait", "120s"],
    remove: ["delete", "cluster", "--name", CLUSTER_NAME],
  },
  k3d: {
    list: ["cluster", "list", "--no-headers"],
    // Nothing is reached from outside, and a load balancer's pods would only take room.
    create: ["cluster", "create", CLUSTER_NAME, "--wait", "--timeout", "120s", "--no-lb"],
    remove: ["cluster", "delete", CLUSTER_NAME],
  },
};

/** Both tools put their own name before a cluster's. */
const contextOf = (tool: Tool) => `${tool}-${CLUSTER_NAME}`;

const isThere = (file: string, args: string[]) =>
  spawnSync(file, args, { stdio: "ignore", timeout: 20_000 }).status === 0;

/** @throws {TryError} with what it said. */
function run(what: string, { file, args }: CommandLine, say: (line: string) => void): void {
  say(`${what}: ${file} ${args.join(" ")}`);
  const { status, error } = spawnSync(file, args, { stdio: ["ignore", 2, 2], timeout: TIMEOUT_MS });
  if (status === 0) return;
  const how = error ? error.message : `ended with ${status ?? "a signal"}`;
  throw new TryError("cluster_unfit", `${what} failed: ${file} ${how} (see above).`);
}

/** @throws {TryError} `misused`, with what to install. */
function requireTool(): Tool {
  const tool = (["kind", "k3d"] as const).find((name) => isThere(name, ["version"]));
  const missing = [
    ...(isThere("docker", ["version"])
      ? []
      : [
          "a Docker daemon that answers (https://docs.docker.com/engine/install; try: docker version)",
        ]),
    ...(tool
      ? []
      : ["kind (https://kind.sigs.k8s.io/docs/user/quick-start) or k3d (https://k3d.io)"]),
    ...(isThere("kubectl", ["version", "--client"])
      ? []
      : ["kubectl (https://kubernetes.io/docs/tasks/tools/)"]),
  ];
  if (!tool || missing.length > 0)
    throw new TryError(
      "misused",
      `A cluster on this machine needs:\n${missing.map((it) => `  ${it}`).join("\n")}\n` +
        "Or use one that you have: install KEDA in it, and name its context in manifests/overlays/dev/target.yaml.",
    );
  return tool;
}

function hasCluster(tool: Tool): boolean {
  const { stdout } = spawnSync(tool, COMMANDS[tool].list, { encoding: "utf8", timeout: 20_000 });
  return (stdout ?? "").split("\n").some((line) => line.trim().split(/\s+/)[0] === CLUSTER_NAME);
}

/** Safe to repeat: what is there already stays. */
export function clusterUp(say: (line: string) => void): void {
  const tool = requireTool();
  if (hasCluster(tool)) say(`The cluster ${CLUSTER_NAME} is there already.`);
  else run(`Making a cluster with ${tool}`, { file: tool, args: COMMANDS[tool].create }, say);
  const kubectl = (...args: string[]): CommandLine => ({
    file: "kubectl",
    args: [`--context=${contextOf(tool)}`, ...args],
  });
  run(
    `Installing KEDA ${KEDA_VERSION}`,
    kubectl("apply", "--server-side", "--force-conflicts", "-f", KEDA_MANIFEST),
    say,
  );
  run(
    `Waiting for KEDA, ${KEDA_TIMEOUT_S} s at most`,
    kubectl(
      ...["-n", "keda", "wait", "--for=condition=Available", "deployments.apps", "--all"],
      `--timeout=${KEDA_TIMEOUT_S}s`,
    ),
    say,
  );
  run("Pointing kubectl to it", kubectl("config", "use-context", contextOf(tool)), say);
  say("Next: make images TAG=0.1.0 REGISTRY=ghcr.io/tiendaleon, then make try-cluster ENV=dev");
  console.log(`cluster-up: tool=${tool} context=${contextOf(tool)} keda=${KEDA_VERSION}`);
}

export function clusterDown(say: (line: string) => void): void {
  const tools = (["kind", "k3d"] as const).filter((tool) => isThere(tool, ["version"]));
  const removed = tools.filter(hasCluster);
  for (const tool of removed)
    run(`Removing the cluster of ${tool}`, { file: tool, args: COMMANDS[tool].remove }, say);
  console.log(`cluster-down: removed=${removed.map(contextOf).join(",") || "none"}`);
}
