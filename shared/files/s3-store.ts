/** A bucket by the AWS SDK. Loaded only where files are asked for. */
import type { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { explainS3, isNotFound } from "./explain-s3.ts";
import { openS3, type S3Access } from "./open-s3.ts";
import type { FileStore, ObjectInfo } from "./store.ts";
import { uploadInParts } from "./upload-in-parts.ts";

/** Opens no connection. */
export function openStore(access: S3Access): FileStore {
  const s3 = openS3(access);
  const Bucket = access.bucket;
  return {
    upload: (Key, body, { contentType, signal }) =>
      told(uploadInParts(s3, { Bucket, Key, ContentType: contentType }, body, signal)),
    open: (Key, signal) =>
      toldOrNone(async () => {
        const found = await s3.send(new GetObjectCommand({ Bucket, Key }), abortedBy(signal));
        return { ...infoOf(found), body: found.Body as Readable };
      }),
    head: (Key, signal) =>
      toldOrNone(async () =>
        infoOf(await s3.send(new HeadObjectCommand({ Bucket, Key }), abortedBy(signal))),
      ),
    // One by one: the request for many needs a checksum that B2 does not take.
    remove: async (Key) => {
      await toldOrNone(() => s3.send(new DeleteObjectCommand({ Bucket, Key })));
    },
    list: (prefix) => listObjects(s3, Bucket, prefix),
    listUploads: (prefix) => listUploads(s3, Bucket, prefix),
    abortUpload: async (Key, UploadId) => {
      await toldOrNone(() => s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })));
    },
    linkToRead: (Key, { expiresS, disposition, contentType }) =>
      getSignedUrl(
        s3,
        new GetObjectCommand({
          Bucket,
          Key,
          ResponseContentDisposition: disposition,
          ResponseContentType: contentType,
        }),
        { expiresIn: expiresS },
      ),
    linkToWrite: (Key, { expiresS, bytes, contentType }) =>
      getSignedUrl(
        s3,
        new PutObjectCommand({ Bucket, Key, ContentType: contentType, ContentLength: bytes }),
        // Both are signed, so that the link takes no other size and no other type.
        { expiresIn: expiresS, signableHeaders: new Set(["content-type", "content-length"]) },
      ),
    probe: async (Prefix) => {
      await told(s3.send(new ListObjectsV2Command({ Bucket, Prefix, MaxKeys: 1 })));
    },
    close: () => s3.destroy(),
  };
}

const abortedBy = (signal: AbortSignal | undefined) =>
  signal === undefined ? {} : { abortSignal: signal };

interface Said {
  ContentLength?: number | undefined;
  ContentType?: string | undefined;
  LastModified?: Date | undefined;
}

const infoOf = (said: Said): ObjectInfo => ({
  bytes: said.ContentLength ?? 0,
  contentType: said.ContentType,
  modifiedAt: said.LastModified,
});

/** What we aborted ourselves is told as it is: its reason says more. */
async function told<T>(asking: Promise<T>): Promise<T> {
  try {
    return await asking;
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw explainS3(error);
  }
}

async function toldOrNone<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    const { name } = error as Error;
    if (name === "NoSuchUpload" || isNotFound(error)) return undefined;
    if (name === "AbortError") throw error;
    throw explainS3(error);
  }
}

async function* listObjects(s3: S3Client, Bucket: string, Prefix: string) {
  let ContinuationToken: string | undefined;
  do {
    const page = await told(
      s3.send(new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken })),
    );
    for (const { Key, LastModified } of page.Contents ?? [])
      if (Key !== undefined) yield { key: Key, modifiedAt: LastModified ?? new Date() };
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
}

async function* listUploads(s3: S3Client, Bucket: string, Prefix: string) {
  let next: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined =
    {};
  while (next !== undefined) {
    const page: import("@aws-sdk/client-s3").ListMultipartUploadsCommandOutput = await told(
      s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix, ...next })),
    );
    for (const { Key, UploadId, Initiated } of page.Uploads ?? [])
      if (Key !== undefined && UploadId !== undefined)
        yield { key: Key, uploadId: UploadId, startedAt: Initiated ?? new Date() };
    const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
    next = page.IsTruncated && KeyMarker ? { KeyMarker, UploadIdMarker } : undefined;
  }
}
