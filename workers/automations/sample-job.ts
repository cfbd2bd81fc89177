/** A job of automations as its callers send it, for `make bench` and `make try-image`. */
import type { SampleJobs } from "@tl-engine/shared";

const sampleJobs: SampleJobs = (n) => ({
  type: "automations.greet.v1",
  input: { name: `Ada ${n}` },
});

export default sampleJobs;
