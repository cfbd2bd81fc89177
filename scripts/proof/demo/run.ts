/** One run of the demo: publish, watch, ask for the flows, check, and say what came out. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { connect, contractOf } from "../../../shared/client/index.ts";
import activities from "../../../workers/activities/index.ts";
import analytics from "../../../workers/analytics/index.ts";
import automations from "../../../workers/automations/index.ts";
import notifications from "../../../workers/notifications/index.ts";
import { startLive } from "../../show/terminal/live.ts";
import { checkJobs, Findings, type Totals } from "./check.ts";
import { checkFlow } from "./check-flow.ts";
import { checkTold, type ToldTotals } from "./check-told.ts";
import { type AnsweredFlow, flowsToAsk } from "./flows.ts";
import type { Issue } from "./history.ts";
import { type CaughtMail, openMailCatcher } from "./mail-catcher.ts";
import { openObserver } from "./observe.ts";
import { replayFlow } from "./oracle.ts";
import { recordHere } from "./pass-without-fleet.ts";
import type { Plan } from "./plan.ts";
import { followProgress } from "./progress.ts";
import { nothingPublished, publishAll, type Send } from "./publish.ts";
import { openRows } from "./rows.ts";
import { sendAgain } from "./send-again.ts";
import { type Latency, latencyOf } from "./summary.ts";
import { expectTold, mailsDone, makeKnown, startOfReplay, tellAtTheEnd } from "./telling.ts";
import { type DemoUsers, publisherOf } from "./users.ts";
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
  users: DemoUsers;
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
  told: ToldTotals;
  mails: readonly CaughtMail[];
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
  await using closers = new AsyncDisposableStack();
  const stage = await openStage(options, closers);
  const startedAt = Date.now();
  const { view, show } = startView(options, stage, startedAt);
  closers.defer(() => view.stop());

  const { client, observer, published, signal } = stage;
  await makeKnown(options.plan, stage);
  await startOfReplay(signal);
  const replayFrom = Date.now();
  const send: Send = (input, how) =>
    sendAgain(() => client.send("activities", "record", input, how), signal);
  await publishAll(send, options.plan, observer.replyQueue, published, signal);
  const complete = await stage.progress.done(signal);
  const replayS = (Date.now() - replayFrom) / 1_000;

  const findings = new Findings();
  if (!complete) findings.add("lost", "nothing moved for 30 s, and not all was done");
  show("asking for the flow");
  const flows = await askForFlows(options.plan, stage);
  show("checking the flow");
  checkFlows(flows, options, findings);
  show("deadlines and a sweep");
  const swept = await tellAtTheEnd(options.plan, stage);
  const expected = expectTold(options.plan, stage.expectedOutputs);
  show("waiting for the last digests");
  await mailsDone(options.plan, expected, stage);
  show("cooling down to zero");
  await stage.workers.atZero(signal);
  await stage.workers.stop();
  show("checking the jobs");
  view.stop();
  const { totals, latency } = await checkResults(options.plan, stage, findings);
  const { announced } = observer;
  const { mails } = stage.mail;
  const mailRows = await stage.rows.mails(options.plan.workspaceId);
  const told = checkTold({ announced, mails, mailRows, swept }, expected, findings);
  return {
    ...{ totals, told, mails },
    flows,
    latency,
    findings,
    warnings: stage.workers.warnings,
    jobsPerSecond: options.plan.publishes.length / replayS,
  };
}

/** What takes part in a run, and what it is measured against. */
export type Stage = Awaited<ReturnType<typeof openStage>>;

async function openStage(options: RunOptions, closers: AsyncDisposableStack) {
  const { plan, urls, users, prefix } = options;
  const amqpUrl = users.publisherUrl;
  const failure = new AbortController();
  const onFailure = (error: Error) => failure.abort(error);
  const expectedOutputs = onePass(plan);
  const expected = {
    jobs: plan.jobs.length,
    events: [...expectedOutputs.values()].filter(({ activities }) => activities.length > 0).length,
  };
  const rows = closers.adopt(openRows(urls.DATABASE_URL), (it) => it.close());
  const observer = closers.adopt(
    await openObserver({ ...plan, amqpUrl, prefix, onGivenUp: onFailure }),
    (it) => it.close(),
  );
  const contract = contractOf(activities, analytics, notifications, automations);
  const client = closers.adopt(
    await connect({ amqpUrl, prefix, appId: publisherOf(plan.runId), contract }),
    (it) => it.close(),
  );
  const published = nothingPublished();
  const mail = closers.use(await openMailCatcher());
  const progress = followProgress(observer, rows, expected, () => published.at.size);
  closers.defer(progress.close);
  const workers = closers.adopt(
    startWorkers({
      urls,
      users,
      prefix,
      figuresAgeS: options.figuresAgeS,
      logFolder: join(options.outFolder, "logs"),
      repository: options.repository,
      onFailure,
      smtpUrl: mail.url,
    }),
    (it) => it.stop(),
  );
  const signal = AbortSignal.any([options.signal, failure.signal]);
  return {
    ...{ rows, mail, observer, client, published },
    progress,
    workers,
    signal,
    expectedOutputs,
  };
}

/** `show` names the phase that begins. */
function startView({ title, output }: RunOptions, stage: Stage, startedAt: number) {
  let phase = "replaying";
  const viewOf = (): View => ({
    title,
    phase,
    scaling: stage.workers.scaling,
    elapsedS: (Date.now() - startedAt) / 1_000,
    published: stage.published.count,
    engines: stage.progress.views(stage.workers),
  });
  const view = startLive(
    { frame: (look) => renderFrame(viewOf(), look), line: () => renderLine(viewOf()) },
    output,
  );
  const show = (next: string) => {
    phase = next;
  };
  return { view, show };
}

function askForFlows(plan: Plan, { client, progress, signal }: Stage): Promise<AnsweredFlow[]> {
  return mapInOrder(flowsToAsk(plan), CALLS_AT_ONCE, async (asked) => {
    const how = { id: randomUUID(), timeoutMs: FLOW_TIMEOUT_MS, signal };
    const call = sendAgain(() => client.call("analytics", "flow", asked.input, how), signal);
    return { ...asked, answer: await progress.calling(call) };
  });
}

function checkFlows(flows: AnsweredFlow[], { issues, plan }: RunOptions, findings: Findings) {
  for (const { title, answer, projects, window } of flows) {
    const theirs = issues.filter(({ project }) => projects.includes(project));
    checkFlow(title, answer, replayFlow(theirs, window), plan.keyOfItem, findings);
  }
}

/** What came and what is stored against what was published. */
async function checkResults(plan: Plan, stage: Stage, findings: Findings) {
  const { rows, observer, published, expectedOutputs } = stage;
  const jobRows = await rows.read(
    "activities",
    plan.jobs.map(({ id }) => id),
  );
  const totals = checkJobs(
    {
      jobs: plan.jobs,
      rows: jobRows,
      eventRows: await rows.read("analytics", [...observer.events.keys()]),
      seen: observer,
      expected: ({ id }) => expectedOutputs.get(id),
    },
    findings,
  );
  return { totals, latency: latencyOf(published.at, observer.repliedAt, jobRows) };
}

/** What the engine's handler makes of each job, without the fleet. */
function onePass(plan: Plan) {
  return new Map(plan.jobs.map(({ id, input }) => [id, recordHere(input, id)] as const));
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
