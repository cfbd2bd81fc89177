/** The internal engine that ends properly what the broker dead-lettered: a failed row, an error reply, a dead letter. */
import { defineWorker } from "@tl-engine/shared";

export default defineWorker({
  name: "burials",
  concurrency: 16,
  timeoutMs: 10_000,
  // It takes no jobs of its own: the runtime reads each message as a refused job of the engine it died in.
  actions: {},
});
