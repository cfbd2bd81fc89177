/** Where the repository lies: the one place that knows how deep the scripts do. */
import { fileURLToPath } from "node:url";

/** Its folder, with a slash at the end. */
export const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));
