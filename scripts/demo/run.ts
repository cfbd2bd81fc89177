/** One run of the demo: publish, watch, ask for the flows, check, and say what came out. */
import { join } from "node:path";
import { connect, contractOf } from "../../shared/client/index.ts";
import { ChangeSet } from "../../workers/activities/change-set.ts";
import activities from "../../workers/activities/index.ts";
import { recordActivities } from "../../workers/activities/record-activities.ts";
import analytics from "../../workers/analytics/index.ts";
import { startLive } from "../terminal/live.ts";
import { checkJobs, Findings, type Totals } from "./check.ts";
import { checkFlow } from "./check-flow.ts";
import { type AnsweredFlow, flowsToAsk } from "./flows.ts";
import type { Issue } from "./history.ts";
import { openObserver } from "./observe.ts";
import { replayFlow } from "./oracle.ts";
import type { Plan } from "./plan.ts";
import { followProgress } from "./progress.ts";
import { nothingPublished, publishAll, type Send } from "./publish.ts";
import { openRows } from "./rows.ts";
import { type Latency, latencyOf } from "./summary.ts";
import { renderFrame, renderLine, type View } from "./view.ts";
import { startWorkers } from "./workers.ts";

export interface ServiceUrls {
  AMQP_URL: string;
  DATABASE_URL: string;
  REDIS_URL: string;
  RABBITMQ_MANAGEMENT_URL: string;
}

export interface RunOptions {
  issues: Issue[];
  plan: Plan;
  urls: ServiceUrls;
  /** ENGINE_PREFIX */
  prefix: string;
  /** How old the management API's figures can be. */
  figuresAgeS: number;
  title: string;
  repository: string;
  outFolder: string;
  output: NodeJS.WriteStream;
  signal: AbortSignal;
}

export interface RunResult {
  totals: Totals;
  flows: AnsweredFlow[];
  latency: Latency;
  findings: Findings;
  /** Of the fleet: workers that did not end well. */
  warnings: string[];
  /** Jobs per second from the first publish to the last result of the second engine. */
  jobsPerSecond: number;
}

const FLOW_TIMEOUT_MS = 60_000;
/** A flow is computed on one core without a break; a second one keeps the worker from waiting for us. */
const CALLS_AT_ONCE = 2;

/** Leaves nothing running, whether it ends well, badly, or by the signal. */
export async function runDemo(options: RunOptions): Promise<RunResult> {
  const { plan, urls, prefix } = options;
  await using closers = new AsyncDisposableStack();
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);

  const expectedOutputs = onePass(plan);
  const expected = {
    jobs: plan.jobs.length,
    events: [...expectedOutputs.values()].filter(({ activities }) => activities.length > 0).length,
  };
  const rows = closers.adopt(openRows(urls.DATABASE_URL), (it) => it.close());
  const observer = closers.adopt(
    await openObserver({ ...plan, amqpUrl: urls.AMQP_URL, prefix }),
    (it) => it.close(),
  );
  const client = closers.adopt(
    await connect({
      amqpUrl: urls.AMQP_URL,
      prefix,
      appId: "demo",
      contract: contractOf(activities, analytics),
    }),
    (it) => it.close(),
  );
  const published = nothingPublished();
  const progress = followProgress(observer, rows, expected, () => published.at.size);
  closers.defer(progress.close);
  const workers = closers.adopt(
    startWorkers({
      urls,
      prefix,
      figuresAgeS: options.figuresAgeS,
      logFolder: join(options.outFolder, "logs"),
      repository: options.repository,
      onFailure: (error) => failure.abort(error),
    }),
    (it) => it.stop(),
  );
  let phase = "replaying";
  const startedAt = Date.now();
  const viewOf = (): View => ({
    title: options.title,
    phase,
    scaling: workers.scaling,
    elapsedS: (Date.now() - startedAt) / 1_000,
    published: published.count,
    engines: progress.views(workers),
  });
  const view = closers.adopt(
    startLive(
      { frame: (look) => renderFrame(viewOf(), look), line: () => renderLine(viewOf()) },
      options.output,
    ),
    (it) => it.stop(),
  );

  const send: Send = (input, how) => client.send("activities", "record", input, how);
  await publishAll(send, plan, observer.replyQueue, published, signal);
  const complete = await progress.done(signal);
  const replayS = (Date.now() - startedAt) / 1_000;

  phase = "asking for the flow";
  const findings = new Findings();
  if (!complete) findings.add("lost", "nothing moved for 30 s, and not all was done");
  const flows = await mapInOrder(flowsToAsk(plan), CALLS_AT_ONCE, async (asked) => {
    const call = client.call("analytics", "flow", asked.input, {
      timeoutMs: FLOW_TIMEOUT_MS,
      signal,
    });
    return { ...asked, answer: await progress.calling(call) };
  });
  phase = "checking the flow";
  for (const flow of flows) {
    const issues = options.issues.filter(({ project }) => flow.projects.includes(project));
    checkFlow(flow.title, flow.answer, replayFlow(issues, flow.window), plan.keyOfItem, findings);
  }
  phase = "cooling down to zero";
  await workers.atZero(signal);
  await workers.stop();
  phase = "checking the jobs";
  view.stop();

  const jobRows = await rows.read(
    "activities",
    plan.jobs.map(({ id }) => id),
  );
  const eventRows = await rows.read("analytics", [...observer.events.keys()]);
  const totals = checkJobs(
    {
      jobs: plan.jobs,
      rows: jobRows,
      eventRows,
      seen: observer,
      expected: ({ id }) => expectedOutputs.get(id),
    },
    findings,
  );
  return {
    totals,
    flows,
    latency: latencyOf(published.at, observer.repliedAt, jobRows),
    findings,
    warnings: workers.warnings,
    jobsPerSecond: plan.publishes.length / replayS,
  };
}

/** What the engine's pure function makes of each job, without the fleet. */
function onePass(plan: Plan) {
  return new Map(
    plan.jobs.map(({ id, input }) => [id, recordActivities(ChangeSet.parse(input))] as const),
  );
}

/** Runs `work` on each element, so many at once; the results are in the order of the elements. */
async function mapInOrder<Element, Result>(
  elements: Element[],
  atOnce: number,
  work: (element: Element) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const queue = elements.entries();
  const lane = async () => {
    for (const [index, element] of queue) results[index] = await work(element);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return results;
}
