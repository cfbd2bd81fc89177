/** Opens the bucket of an engine that keeps files, and looks that it is fit. Of the others nothing is loaded. */
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import type { Closers } from "../drain.ts";
import type { WorkerDefinition } from "../engine/define-worker.ts";
import type { Config } from "../process/config.ts";
import { explainReach, reachOf, startFailure } from "../process/reach.ts";
import { StartFailure } from "../process/start-failure.ts";
import { filesPrefix } from "../wire/files.ts";
import type { FilesUnavailable } from "./errors.ts";
import { explainS3 } from "./explain-s3.ts";
import { fileLimitsOf } from "./files.ts";
import type { FilesTools } from "./job-files.ts";
import type { FileStore } from "./store.ts";

/** Past the longest run: clocks that differ, a worker that was frozen for a while. */
const GRACE_MS = 900_000;
const CHECK_TIMEOUT_MS = 20_000;

export type S3Config = Pick<
  Config,
  | "S3_ENDPOINT"
  | "S3_REGION"
  | "S3_BUCKET"
  | "S3_ACCESS_KEY_ID"
  | "S3_SECRET_ACCESS_KEY"
  | "S3_PATH_STYLE"
>;

/**
 * @returns undefined for an engine without files.
 * @throws {StartFailure} where S3 is not configured or not fit, or the engine's package lacks the SDK.
 */
export async function openFiles(
  definition: Pick<WorkerDefinition, "name" | "files" | "timeoutMs">,
  config: Config,
  closers: Pick<Closers, "add">,
): Promise<FilesTools | undefined> {
  const limits = fileLimitsOf(definition.files);
  if (limits === undefined) return undefined;
  const store = await openBucket(config);
  closers.add(() => store.close());
  const { name: engine } = definition;
  const prefix = config.ENGINE_PREFIX;
  await checkStore(store, filesPrefix(prefix, engine), config);
  return { store, engine, prefix, limits, graceMs: definition.timeoutMs + GRACE_MS };
}

/** Opens no connection. */
export async function openBucket(config: S3Config): Promise<FileStore> {
  const { openStore } = await loadStore();
  const { S3_ENDPOINT = "", S3_REGION = "", S3_BUCKET = "", S3_ACCESS_KEY_ID = "" } = config;
  return openStore({
    endpoint: S3_ENDPOINT,
    region: S3_REGION,
    bucket: S3_BUCKET,
    accessKeyId: S3_ACCESS_KEY_ID,
    secretAccessKey: config.S3_SECRET_ACCESS_KEY ?? "",
    pathStyle: config.S3_PATH_STYLE,
  });
}

async function loadStore() {
  try {
    return await import("./s3-store.ts");
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new StartFailure(
      "s3",
      "S3_ENDPOINT",
      "an engine with files needs the AWS SDK: add @aws-sdk/client-s3, @aws-sdk/lib-storage and @aws-sdk/s3-request-presigner to the dependencies in its package.json, in the versions that shared/package.json names",
      { temporary: false, cause },
    );
  }
}

/**
 * Does once what jobs do: writes, reads, lists and removes below the prefix.
 * @throws {StartFailure}
 */
export async function checkStore(
  store: FileStore,
  prefix: string,
  config: S3Config,
): Promise<void> {
  const key = `${prefix}out/start-check-${randomBytes(6).toString("hex")}`;
  const signal = AbortSignal.timeout(CHECK_TIMEOUT_MS);
  try {
    await store.upload(key, Readable.from([Buffer.from("1")]), {
      contentType: "text/plain",
      signal,
    });
    await store.head(key, signal);
    await store.probe(prefix);
    await store.remove(key);
  } catch (error) {
    throw failureOf(explainS3(error), config);
  }
}

function failureOf(trouble: FilesUnavailable, { S3_ENDPOINT: url = "" }: S3Config): StartFailure {
  const server = {
    ...({ part: "s3", name: "S3", variable: "S3_ENDPOINT", url } as const),
    defaultPort: new URL(url).protocol === "https:" ? 443 : 80,
    plain: "http://",
    tls: "https://",
  };
  const reach = reachOf(trouble.cause);
  if (reach !== undefined) return explainReach(reach, server, trouble.cause);
  const temporary = ["unreachable", "slow_down", "cut"].includes(trouble.code);
  return startFailure(server, trouble.message.replace(/^S3 /, ""), { temporary, cause: trouble });
}
