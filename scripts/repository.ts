/** Where the repository lies: the one place that knows how deep the scripts do. */
import { fileURLToPath } from "node:url";

/** Its folder, with a slash at the end. */
export const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));

/** The schedules of all engines, in the repository: what `make contract` writes, and a scheduler reads. */
export const SCHEDULES_FILE = "manifests/base/engines/scheduler/schedules.json";

/** What a scheduler that runs here is given, where its environment says nothing else. */
export const SCHEDULER_DEFAULTS = { SCHEDULER_FILE: `${REPOSITORY}${SCHEDULES_FILE}` };
