/** The cluster that kubectl points to: the one that the environment's overlay is meant for, and fit for it. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { DeployError } from "../../kubernetes/deploy/kubectl.ts";
import { environmentOf, readTarget } from "../../kubernetes/deploy/target.ts";
import { type Check, type Finding, failure, type Opened, ok, type Part, skipped } from "./check.ts";

const run = promisify(execFile);
const BY_HAND = "kubectl config current-context; kubectl version";
/** kubectl's own patience, so that it says itself what it waited for. */
const REQUEST_TIMEOUT = "--request-timeout=6s";
const TIMEOUT_MS = 9_000;

interface Cluster {
  context: string;
  namespace: string;
  /** @returns undefined where kubectl ends with another status than 0. */
  ask(...args: string[]): Promise<string | undefined>;
}

const kubectl = async (...args: string[]) =>
  (await run("kubectl", args, { timeout: TIMEOUT_MS, maxBuffer: 16 * 1024 * 1024 })).stdout.trim();

async function open(environment: string | undefined): Promise<Opened<Cluster> | Finding> {
  if (environment === undefined)
    return skipped("not asked for: ENV=dev or ENV=staging names the overlay");
  const { name, namespace, overlay } = environmentOf(environment);
  const { kubeContexts } = readTarget({ name, namespace, overlay });
  const use = `kubectl config use-context ${kubeContexts[0]}`;
  let context: string;
  try {
    context = await kubectl("config", "current-context");
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    return isMissing
      ? failure(
          "kubectl is not installed",
          "there is no program kubectl on PATH",
          "scripts/install-clis.sh",
        )
      : failure("no context", "kubectl points to no cluster", use);
  }
  if (!kubeContexts.includes(context))
    return failure(
      `the context ${context} is not for ${name}`,
      `manifests/overlays/${name}/target.yaml allows ${kubeContexts.join(", ")}: make deploy-${name} refuses any other`,
      use,
    );
  return reach(context, namespace);
}

async function reach(context: string, namespace: string): Promise<Opened<Cluster> | Finding> {
  const at = [`--context=${context}`, REQUEST_TIMEOUT];
  const ask = (...args: string[]) => kubectl(...at, ...args).catch(() => undefined);
  const startedAt = performance.now();
  try {
    const version = JSON.parse(await kubectl(...at, "version", "-o", "json"));
    const ms = (performance.now() - startedAt).toFixed(0);
    const found = ok(`${context}, ${version.serverVersion?.gitVersion}, ${ms} ms`);
    return { source: { context, namespace, ask }, found, close: async () => {} };
  } catch (error) {
    const { stderr = "", message, killed } = error as Error & { stderr?: string; killed?: boolean };
    if (killed)
      return failure(
        `no answer within ${TIMEOUT_MS} ms`,
        "the API server hangs, or kubectl's login waits for somebody",
        BY_HAND,
      );
    return failure("not reached", stderr.trim().split("\n").at(-1) || message, BY_HAND);
  }
}

const rights: Check<Cluster> = {
  name: "rights",
  looksAt: "we may deploy to the namespace",
  async run({ ask, namespace }) {
    const verbs = ["create deployments.apps", "create configmaps", "create scaledobjects.keda.sh"];
    const answers = await Promise.all(
      verbs.map(
        async (verb) => (await ask("auth", "can-i", ...verb.split(" "), "-n", namespace)) === "yes",
      ),
    );
    const denied = verbs.filter((_, index) => !answers[index]);
    if (denied.length === 0) return ok(`may deploy to ${namespace}`);
    return failure(
      `may not ${denied.join(", ")}`,
      `kubectl's user lacks rights in ${namespace}, or the namespace's API is not there`,
      `kubectl auth can-i --list -n ${namespace}`,
    );
  },
};

const keda: Check<Cluster> = {
  name: "keda",
  looksAt: "KEDA is there, without which no worker starts",
  async run({ ask }) {
    const resources = (await ask("api-resources", "--api-group=keda.sh", "-o", "name")) ?? "";
    if (resources.includes("scaledobjects")) return ok("there");
    return failure(
      "not there",
      "the cluster knows no ScaledObject: engines stay at zero",
      "helm install keda kedacore/keda --namespace keda --create-namespace",
    );
  },
};

/** @param environment ENV; undefined where no cluster is asked for. */
export const kubernetes = (environment: string | undefined): Part<Cluster> => ({
  name: "kubernetes",
  byHand: () => BY_HAND,
  open: () => open(environment),
  checks: [rights, keda],
});

/** Whether there is such an overlay, before anything is asked. @throws {DeployError} */
export function expectEnvironment(name: string): void {
  readTarget(environmentOf(name));
}
export { DeployError };
