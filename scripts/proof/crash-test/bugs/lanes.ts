/**
 * Plants several bugs into one worker without their meeting: each does its harm to the jobs of one lane alone,
 * which the end of a job's id names. The jobs of lane 0 have no bug, and are the control.
 */
import type { Outgoing } from "../../../../shared/broker/publish-frames.ts";
import type { Heartbeat } from "../../../../shared/job/claim.ts";
import type { Parts } from "../../../../shared/worker.ts";

const LANE = /-l(\d+)(?:$|\/)/;

/** 0 for what names no lane, such as a job that an event began. */
export const laneOf = (id: string | undefined): number => Number(LANE.exec(id ?? "")?.[1] ?? 0);

/** The job's id, or what holds it: a reply's id, or a correlation id. */
export const jobOf = ({ correlationId, messageId }: Outgoing) =>
  laneOf(messageId) > 0 ? messageId : correlationId?.toString();

/** @param lanes the parts that jobs of each lane meet, lane 0 first. */
export function byLane(lanes: readonly Parts[]): Parts {
  const [clean] = lanes as [Parts];
  const of = (id: string | undefined) => lanes[laneOf(id)] ?? clean;
  return {
    ...clean,
    receive: (delivery) => of(String(delivery.message.properties.messageId)).receive(delivery),
    claims: {
      claim: (job, ...how) => of(job.id).claims.claim(job, ...how),
      unclaim: (what, job, ...how) => of(job.id).claims.unclaim(what, job, ...how),
      heartbeat: (jobs) => beat(jobs, of),
    },
    commits: {
      ...clean.commits,
      commit: (row) => of(row.jobId).commits.commit(row),
      read: (engine, jobId) => of(jobId).commits.read(engine, jobId),
      // A batch of several lanes has no bug.
      commitIn: (tx, rows) =>
        (rows.length === 1 ? of(rows[0]?.jobId) : clean).commits.commitIn(tx, rows),
    },
    publisher: {
      ...clean.publisher,
      publish: (outgoing, signal) => of(jobOf(outgoing)).publisher.publish(outgoing, signal),
    },
  };
}

async function beat(jobs: Heartbeat[], of: (id: string) => Parts) {
  const answers = await Promise.all(jobs.map((job) => of(job.id).claims.heartbeat([job])));
  return answers.some((answer) => answer === undefined)
    ? undefined
    : answers.flatMap((answer) => answer ?? []);
}
