/** Jobs for later, and schedules: a job is put off, moved and taken back; a schedule is put, looked at and removed. */
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "@tl-engine/client";

await using engine = await connect({
  amqpUrl: process.env.AMQP_URL ?? "amqp://guest:guest@127.0.0.1:5672/%2Fengine",
  prefix: process.env.ENGINE_PREFIX,
  appId: "tl-plane",
  onTrouble: (kind, error) => console.error(kind, error),
});

const HOUR_MS = 3_600_000;
const change = {
  type: "issue.activity.updated" as const,
  workspaceId: "acme",
  projectId: "web",
  issueId: "WEB-7",
  actorId: "ana",
  epoch: 1_767_225_600,
  requested: { priority: "low" },
  current: { priority: "high" },
};

// The same job again with another time moves it. Whoever knows only its id asks the scheduler.
const { id } = await engine.send("activities", "record", change, { runIn: HOUR_MS });
const job = { engine: "activities", id };
const runAt = new Date(Date.now() + 2 * HOUR_MS).toISOString();
// The broker had it before the scheduler has: false until then, and once it has run.
while (!(await engine.call("scheduler", "change", { ...job, runAt })).done) await sleep(100);
const { jobs } = await engine.call("scheduler", "list", { engine: "activities" });
console.log(`waits: ${jobs.some((it) => it.id === id && it.runAt === runAt)}`);
const { done } = await engine.call("scheduler", "cancel", job);
console.log(`taken back: ${done}`);

// Put again under the same name it is changed. Its jobs are of the engine that its name begins with.
const name = "activities.example";
const { nextRuns } = await engine.call("scheduler", "put", {
  name,
  type: "activities.record.v1",
  cron: "0 2 * * 1-5",
  timeZone: "America/Mexico_City",
  input: change,
  catchUp: { policy: "once", windowSeconds: 43_200 },
});
console.log(`next runs: ${nextRuns.length}`);
const { schedules } = await engine.call("scheduler", "list", { engine: "activities" });
console.log(`put: ${schedules.map((it) => it.name).join()}`);
console.log(`removed: ${(await engine.call("scheduler", "remove", { name })).done}`);
