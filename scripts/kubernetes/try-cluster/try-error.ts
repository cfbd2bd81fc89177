/** Why a try can't go on, with the command that comes next. */

type Code =
  | "misused"
  | "context_refused"
  | "cluster_unfit"
  | "namespace_taken"
  | "image_unavailable"
  | "unschedulable"
  | "quota_exceeded"
  | "crashing"
  | "kubectl_failed"
  | "timed_out"
  | "interrupted";

/** Nothing of the try itself is broken: something here or in the cluster has to be put right first. */
export class TryError extends Error {
  override readonly name = "TryError";
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
