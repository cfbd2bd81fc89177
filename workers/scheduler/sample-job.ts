/** A schedule that is put, and never fires while anybody looks. */
import type { SampleJobs } from "@tl-engine/shared";

const SCHEDULES = 500;

const sampleJobs: SampleJobs = (n) => ({
  type: "scheduler.put.v1",
  input: {
    name: `analytics.sample-${n % SCHEDULES}`,
    type: "analytics.flow.v1",
    cron: "0 3 29 2 *",
    input: {},
  },
});

export default sampleJobs;
