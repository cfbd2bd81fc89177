/** The S3 client, set so that Backblaze B2 and other servers that are not Amazon's take what it sends. Loaded only where files are asked for. */
import { S3Client } from "@aws-sdk/client-s3";

/** Where a bucket is, and as whom it is used. */
export interface S3Access {
  /** `https://s3.us-east-005.backblazeb2.com` */
  endpoint: string;
  region: string;
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** The bucket in the path, and not in the host name. Default: true, which all servers take. */
  pathStyle?: boolean;
}

/** Until a connection stands; a host that drops packets would take minutes. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Without a byte either way. */
const SILENCE_TIMEOUT_MS = 30_000;
/** Of one request, the first included; the SDK waits in between, and as long as a 503 says. */
const ATTEMPTS = 3;

/** To be destroyed at the end. Opens no connection. */
export function openS3(access: Omit<S3Access, "bucket">): S3Client {
  return new S3Client({
    endpoint: access.endpoint,
    region: access.region,
    credentials: {
      accessKeyId: access.accessKeyId,
      secretAccessKey: access.secretAccessKey,
    },
    forcePathStyle: access.pathStyle ?? true,
    // B2 answers 400 to the checksums that the SDK adds by itself since 3.729.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    maxAttempts: ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SILENCE_TIMEOUT_MS,
    },
  });
}
