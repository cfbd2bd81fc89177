/** One upload, in parts where it is large, that leaves nothing behind when it fails or is aborted. */
import type { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";

/** An upload may have 10,000 parts: 80 GB. */
const PART_BYTES = 8 * 1024 * 1024;
/** Parts in memory at once; one is on its way while the next fills. */
const PARTS_AT_ONCE = 2;

export interface UploadTarget {
  Bucket: string;
  Key: string;
  ContentType: string;
}

/**
 * lib-storage neither cancels what is on its way when it is aborted, nor waits for it, nor aborts an upload that
 * begins just then. So its requests go through here.
 */
export async function uploadInParts(
  s3: S3Client,
  target: UploadTarget,
  body: Readable,
  signal: AbortSignal,
): Promise<void> {
  const pending = new Set<Promise<unknown>>();
  let uploadId: string | undefined;
  const send = async (command: Parameters<S3Client["send"]>[0]) => {
    const isAbort = command instanceof AbortMultipartUploadCommand;
    const answer = await s3.send(command, isAbort ? {} : { abortSignal: signal });
    if (command instanceof CreateMultipartUploadCommand)
      uploadId = (answer as { UploadId?: string }).UploadId;
    return answer;
  };
  const tracked = (command: Parameters<S3Client["send"]>[0]) => {
    const sending = send(command);
    pending.add(sending);
    sending.catch(() => {}).finally(() => pending.delete(sending));
    return sending;
  };
  const abortController = new AbortController();
  const onAbort = () => abortController.abort();
  signal.throwIfAborted();
  signal.addEventListener("abort", onAbort, { once: true });
  const upload = new Upload({
    client: { config: s3.config, send: tracked } as unknown as S3Client,
    params: { ...target, Body: body },
    partSize: PART_BYTES,
    queueSize: PARTS_AT_ONCE,
    // We do, once nothing is on its way.
    leavePartsOnError: true,
    abortController: abortController as never,
  });
  try {
    await upload.done();
  } catch (error) {
    body.destroy();
    await Promise.allSettled(pending);
    if (uploadId !== undefined) {
      const { Bucket, Key } = target;
      // What it leaves, the sweep takes.
      await s3
        .send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId: uploadId }))
        .catch(() => {});
    }
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
