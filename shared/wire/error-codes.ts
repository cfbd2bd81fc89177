/** The closed list of ways in which a job can end without success. */

/** Every way in which a job can end without success. The list is closed: adding one is a change of the contract. */
export const ERROR_CODES = {
  invalid_input:
    "The envelope or the body breaks the contract; `details` holds the paths. Fix the job.",
  unknown_action: "The engine has no action of that name, or there is no such engine.",
  unknown_version: "The engine has the action, but not in that version.",
  payload_too_large: "The body is larger than the action accepts, or than the broker takes again.",
  result_too_large: "The handler's output is larger than the action may return.",
  invalid_output:
    "The handler returned something its own output schema refuses, or that can't be stored: a bug of the engine.",
  idempotency_conflict: "This job id was used before with another input. Use a new id.",
  expired:
    "The job was past its deadline, or older than the results are kept, before it could run.",
  rejected: "The handler refused the job for good; `message` says why.",
  attempts_exhausted: "Every attempt failed; `message` is the last error. It can be replayed.",
  quarantined: "The job crashed its worker again and again, also when it ran alone.",
  cancelled: "The caller cancelled the job.",
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;
