/** A job of another engine whose expiration passed, as the broker hands it on. */
import type { SampleJobs } from "@tl-engine/shared";

const sampleJobs: SampleJobs = (n, [other]) => {
  if (other === undefined)
    throw new RangeError("burials ends the jobs of other engines: there is none");
  return { type: `${other}.any.v1`, input: { n }, diedIn: other };
};

export default sampleJobs;
