/** Runs kubectl, always against the one context that was checked. */
import { spawnSync } from "node:child_process";

type Code =
  | "bad_environment"
  | "kubectl_missing"
  | "kubectl_failed"
  | "context_refused"
  | "cluster_unfit"
  | "setup_failed"
  | "rollout_failed";

/** Something that the operator has to put right first; nothing of this tool is broken. */
export class DeployError extends Error {
  override readonly name = "DeployError";
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface KubectlOptions {
  /** Given to its standard input. */
  input?: string;
  /** Exit statuses that are no failure; `kubectl diff` says 1 where there are differences. Default 0 alone. */
  ok?: number[];
}

/** Gives standard output and exit status. @throws {DeployError} */
export type Kubectl = (
  args: string[],
  options?: KubectlOptions,
) => { status: number; stdout: string };

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** @throws {DeployError} `kubectl_missing`, and `kubectl_failed` with what kubectl says. */
export function kubectl(
  args: string[],
  { input, ok = [0] }: KubectlOptions = {},
): ReturnType<Kubectl> {
  const { status, stdout, stderr, error } = spawnSync("kubectl", args, {
    encoding: "utf8",
    maxBuffer: MAX_OUTPUT_BYTES,
    ...(input === undefined ? { stdio: ["ignore", "pipe", "pipe"] } : { input }),
  });
  if ((error as NodeJS.ErrnoException | undefined)?.code === "ENOENT")
    throw new DeployError(
      "kubectl_missing",
      "kubectl is not installed. Install it (https://kubernetes.io/docs/tasks/tools/, or the package kubernetes-client or kubectl of your system) and try again.",
    );
  if (error) throw error;
  if (status === null || !ok.includes(status))
    throw new DeployError(
      "kubectl_failed",
      `kubectl ${args.join(" ")}\nended with ${status ?? "a signal"}:\n${stderr.trim()}`,
    );
  return { status, stdout };
}

/** kubectl bound to a context: one that changes meanwhile changes nothing here. */
export const kubectlIn =
  (context: string): Kubectl =>
  (args, options) =>
    kubectl([`--context=${context}`, ...args], options);
