/** An S3 server for one test file, and what is in its bucket. */

import { openStore } from "../files/s3-store.ts";
import type { FileStore } from "../files/store.ts";
import { provideServices, type Services } from "../services/index.ts";

export interface OwnBucket {
  services: Services;
  /** The variables of a worker. */
  env: Record<string, string>;
  /** With all rights, and by no proxy. */
  store: FileStore;
  keys(prefix: string): Promise<string[]>;
  uploads(prefix: string): Promise<string[]>;
  end(): Promise<void>;
}

/** A server of S3_ENDPOINT, where the environment names one; else one of its own. */
export async function openOwnBucket(): Promise<OwnBucket> {
  const services = await provideServices({ needs: ["s3"] });
  const env = services.env();
  const store = openStore({
    endpoint: String(env.S3_ENDPOINT),
    region: String(env.S3_REGION),
    bucket: String(env.S3_BUCKET),
    accessKeyId: String(env.S3_ACCESS_KEY_ID),
    secretAccessKey: String(env.S3_SECRET_ACCESS_KEY),
  });
  return {
    services,
    env,
    store,
    async keys(prefix) {
      const keys: string[] = [];
      for await (const { key } of store.list(prefix)) keys.push(key);
      return keys;
    },
    async uploads(prefix) {
      const keys: string[] = [];
      for await (const { key } of store.listUploads(prefix)) keys.push(key);
      return keys;
    },
    async end() {
      store.close();
      await services.stop();
    },
  };
}
