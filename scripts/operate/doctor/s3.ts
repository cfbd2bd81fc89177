/** The bucket of the engines that keep files: done once what their jobs do, below the prefix of each. */
import { checkStore, openBucket } from "@tl-engine/shared/files/open-files";
import { filesPrefix } from "@tl-engine/shared/wire/files";
import { type Finding, type Fleet, failure, type Opened, ok, type Part, skipped } from "./check.ts";

const BY_HAND = `curl -sS -i "$S3_ENDPOINT/$S3_BUCKET?list-type=2" --aws-sigv4 "aws:amz:$S3_REGION:s3" --user "$S3_ACCESS_KEY_ID:$S3_SECRET_ACCESS_KEY"`;
const NEEDED = ["S3_REGION", "S3_BUCKET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"] as const;

/** Where no engine keeps files yet, the place that one would have. */
function prefixesOf({ workers, config }: Fleet): string[] {
  const keeping = workers.filter(({ definition }) => definition.files);
  const names = keeping.length > 0 ? keeping.map(({ definition }) => definition.name) : ["doctor"];
  return names.map((name) => filesPrefix(config.ENGINE_PREFIX, name));
}

async function open(fleet: Fleet): Promise<Opened<undefined> | Finding> {
  const { config } = fleet;
  if (config.S3_ENDPOINT === undefined) return skipped("not configured: S3_ENDPOINT is empty");
  const missing = NEEDED.filter((name) => config[name] === undefined);
  if (missing.length > 0)
    return failure(
      `configured in part: ${missing.join(", ")} empty`,
      "an engine with files does not start without them",
      "make rights NAME=the-engine says how to make its key",
    );
  const startedAt = performance.now();
  const store = await openBucket(config);
  try {
    for (const prefix of prefixesOf(fleet)) await checkStore(store, prefix, config);
  } catch (error) {
    return failure("its files can't be kept", (error as Error).message, BY_HAND);
  } finally {
    store.close();
  }
  const ms = (performance.now() - startedAt).toFixed(0);
  return { source: undefined, found: ok(`keeps files, ${ms} ms`), close: async () => {} };
}

export const s3: Part<undefined> = { name: "s3", byHand: () => BY_HAND, open, checks: [] };
