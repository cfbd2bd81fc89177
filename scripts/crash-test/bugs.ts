/** Planted bugs: wrappers of one part of the runtime, each of which the checker must catch. */
import type { Config } from "../../shared/config.ts";
import type { Parts } from "../../shared/worker.ts";

export function plantBug(_name: string, parts: Parts, _config: Config): Parts {
  return parts;
}
