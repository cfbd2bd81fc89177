/** What S3, a proxy before it, or the way to it says with an error. */
import { reachOf } from "../process/reach.ts";
import { type FilesTrouble, FilesUnavailable } from "./errors.ts";

interface S3Said {
  name?: unknown;
  code?: unknown;
  $metadata?: { httpStatusCode?: number };
}

const WRONG_SIGNATURE = new Set([
  "SignatureDoesNotMatch",
  "InvalidAccessKeyId",
  "RequestTimeTooSkewed",
  "InvalidToken",
  "ExpiredToken",
]);
const SLOW_DOWN = new Set(["SlowDown", "ServiceUnavailable", "TooManyRequests", "Throttling"]);
const SILENT = new Set(["TimeoutError", "RequestTimeout", "NetworkingError"]);

const ADVICE: Record<FilesTrouble, string> = {
  unreachable: "does not answer: check S3_ENDPOINT, or wait for it",
  slow_down: "asks us to slow down",
  cut: "ended an answer before its last byte",
  access_denied:
    "refuses access: S3_ACCESS_KEY_ID needs to read, write, list and delete below the engine's prefix (make rights)",
  wrong_signature:
    "does not take our signature: check S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, S3_REGION and the clock",
  bucket_missing: "has no such bucket: check S3_BUCKET, or make it",
  refused: "refuses the request",
};

export const isNotFound = (error: unknown): boolean => {
  const { name, $metadata } = Object(error) as S3Said;
  return (
    name === "NoSuchKey" ||
    name === "NotFound" ||
    ($metadata?.httpStatusCode === 404 && name !== "NoSuchBucket" && name !== "NoSuchUpload")
  );
};

export function readS3Trouble(error: unknown): FilesTrouble {
  const { name, code, $metadata } = Object(error) as S3Said;
  const status = $metadata?.httpStatusCode;
  const said = String(name);
  if (WRONG_SIGNATURE.has(said)) return "wrong_signature";
  if (said === "NoSuchBucket") return "bucket_missing";
  if (SLOW_DOWN.has(said) || status === 429) return "slow_down";
  if (SILENT.has(said)) return "unreachable";
  if (status === 403 || status === 401 || said === "AccessDenied") return "access_denied";
  if (status !== undefined && status >= 500) return "unreachable";
  if (code === "ECONNRESET" || code === "ERR_STREAM_PREMATURE_CLOSE") return "cut";
  return reachOf(error) === undefined ? "refused" : "unreachable";
}

/** The message holds no key, no link and no secret: what S3 itself says stays in `cause`, for the log. */
export function explainS3(error: unknown): FilesUnavailable {
  if (error instanceof FilesUnavailable) return error;
  const trouble = readS3Trouble(error);
  const { name, $metadata } = Object(error) as S3Said;
  const said = [$metadata?.httpStatusCode, name].filter((word) => word !== undefined).join(" ");
  return new FilesUnavailable(trouble, `S3 ${ADVICE[trouble]} (${said || "no answer"})`, {
    cause: error,
  });
}
