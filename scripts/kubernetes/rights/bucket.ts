/** The least that one engine's application key may do in the bucket: its own prefix, and nothing else. */
import { engineUser } from "@tl-engine/shared/wire/names";
import { filesPrefix, inputsPrefix } from "../../../shared/wire/files.ts";

/** As Backblaze's command line takes them; what it prints is S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY. */
export function bucketCommands(prefix: string, engine: string): string {
  const own = filesPrefix(prefix, engine);
  const inputs = inputsPrefix(prefix, engine);
  return `# S3, here Backblaze B2: a key that sees no other engine's files. Once per bucket: keep only the last version, and no
# public access. A publisher that uploads by itself gets a key of its own, which can neither read nor remove.
b2 key create --bucket BUCKET --name-prefix '${own}' '${engineUser(prefix, engine).replaceAll(/[^A-Za-z0-9-]/g, "-")}' listBuckets,listFiles,readFiles,writeFiles,deleteFiles
b2 key create --bucket BUCKET --name-prefix '${inputs}' '${engineUser(prefix, engine).replaceAll(/[^A-Za-z0-9-]/g, "-")}-inputs' writeFiles`;
}
