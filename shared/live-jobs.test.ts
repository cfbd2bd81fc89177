import fc from "fast-check";
import { expect, test } from "vitest";
import type { JobContext } from "./job-context.ts";
import { type LiveJob, LiveJobs } from "./live-jobs.ts";
import type { ReceivedJob } from "./receive.ts";

test("holds what a Set would hold, however jobs come and go", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat())), (steps) => {
      const live = new LiveJobs();
      const oracle = new Set<LiveJob>();
      for (const step of steps) {
        const held = [...oracle];
        const ended = step === null ? undefined : held[step % held.length];
        if (ended === undefined) {
          const [job, context] = [{} as ReceivedJob, {} as JobContext];
          oracle.add(live.add({ job, token: "", startedAtMs: 0, renewedAtMs: 0, context }));
        } else {
          live.delete(ended);
          oracle.delete(ended);
        }
        const found = live.filter(() => true);
        expect(found.length).toBe(oracle.size);
        expect(new Set(found)).toEqual(oracle);
      }
    }),
  );
});
