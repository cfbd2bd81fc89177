/** `make demo [DATA=file]`: replays a tracker's history through the fleet and proves what comes out. */
import "../show/closed-pipe.ts";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BrokerUnavailable } from "../../shared/client/index.ts";
import { REPOSITORY } from "../repository.ts";
import { count, painter, wantsColor } from "../show/terminal/paint.ts";
import { printable, printableLines } from "../show/terminal/printable.ts";
import { renderTable } from "../show/terminal/table.ts";
import { SPAN } from "./demo/figures.ts";
import { generateHistory } from "./demo/generator.ts";
import { HistoryError, type Issue, readHistory } from "./demo/history.ts";
import { BrokerStaysAway } from "./demo/kept-connection.ts";
import { htmlOf } from "./demo/mail-catcher.ts";
import { removePictures, writePictures } from "./demo/pictures.ts";
import { planJobs } from "./demo/plan.ts";
import { type RunResult, runDemo } from "./demo/run.ts";
import { prepareServices, SetUpFailed } from "./demo/set-up.ts";
import { SUMMARY_COLUMNS, summaryRow } from "./demo/summary.ts";

const EXIT_FAILED = 1;
const EXIT_MISUSED = 2;
const EXIT_INTERRUPTED = 130;
const DEFAULT_SEED = "tiendaleon";
const paint = painter(wantsColor(process.stdout));
const say = (text = "") => console.log(text);

async function demo(signal: AbortSignal): Promise<boolean> {
  const { data, seed, months, keep, rights, out } = readOptions();
  const issues = data ? await readHistory(data) : generateHistory({ seed, months });
  const runId = newRunId();
  // Never that of a fleet: a demo's jobs are for the demo's own workers, also on servers that it shares.
  const prefix = `demo-${runId}`;
  const plan = planJobs(issues, { runId, seed, comments: true });
  say(describe(issues, data ?? `a generated tracker, seed ${seed}`));

  removePictures(out);
  await using services = await prepareServices({
    repository: REPOSITORY,
    prefix,
    plan,
    keep,
    rights,
    signal,
    say,
  });
  const startedAt = performance.now();
  const title = `tl-engine demo · ${count(issues.length)} items · ${count(plan.jobs.length)} jobs`;
  const result = await runDemo({
    issues,
    plan,
    urls: services.urls,
    users: services.users,
    prefix,
    figuresAgeS: services.figuresAgeS,
    title,
    repository: REPOSITORY,
    outFolder: out,
    output: process.stdout,
    signal,
  });
  report(result, { title, source: data ?? `generated, seed ${seed}`, out });
  const { lost, doubled, different } = result.findings.counts;
  const { results, replies, events } = result.totals;
  const { notifications, mails, rulesFired, breaches, swept } = result.told;
  say(
    `told: notifications=${notifications} mails=${mails} rules_fired=${rulesFired} breaches=${breaches} swept=${swept}`,
  );
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  say(
    `demo: jobs=${plan.jobs.length} results=${results} replies=${replies} events=${events} lost=${lost} doubled=${doubled} different=${different} seconds=${seconds}`,
  );
  return result.findings.clean;
}

/** The options are wrong; the message says how. */
class Misuse extends Error {
  override readonly name = "Misuse";
}

/** From the command line, else from the environment, where `make` puts them. */
function readOptions() {
  const options = parseOptions();
  const months = Number(options.months);
  if (!Number.isInteger(months) || months < 1 || months > 600)
    throw new Misuse("--months must be a whole number from 1 to 600");
  return {
    data: options.data || undefined,
    seed: options.seed || DEFAULT_SEED,
    months,
    keep: options.keep,
    rights: readRights(options.rights),
    out: options.out,
  };
}

function readRights(text: string): boolean | undefined {
  if (!["", "0", "1"].includes(text)) throw new Misuse("--rights must be 0 or 1");
  return text === "" ? undefined : text === "1";
}

function parseOptions() {
  try {
    const { values } = parseArgs({
      options: {
        data: { type: "string", default: process.env.DATA ?? "" },
        seed: { type: "string", default: process.env.SEED ?? "" },
        /** Of the generated history. */
        months: { type: "string", default: String(SPAN.months) },
        /** Leaves on given servers what it made. */
        keep: { type: "boolean", default: process.env.KEEP === "1" },
        /** 1: each process under its printed rights, on servers of the demo's own; 0: none of them. */
        rights: { type: "string", default: process.env.RIGHTS ?? "" },
        /** Folder of the pictures and logs. */
        out: { type: "string", default: join(REPOSITORY, "out/demo") },
      },
    });
    return values;
  } catch (cause) {
    throw new Misuse(
      `${(cause as Error).message} (--data, --seed, --months, --keep, --rights, --out)`,
      {
        cause,
      },
    );
  }
}

/** Sortable by time, and unlike that of any other run. */
const newRunId = () => `${Date.now().toString(36)}${randomBytes(3).toString("hex")}`;

function describe(issues: Issue[], source: string): string {
  const changes = issues.reduce((sum, issue) => sum + issue.changes.length, 0);
  const projects = new Set(issues.map((issue) => issue.project)).size;
  const years = [...new Set(issues.map((issue) => issue.createdAt.slice(0, 4)))].sort();
  return `${count(issues.length)} items and ${count(changes)} change sets of ${projects} projects, ${years[0]}–${years.at(-1)}: ${source}`;
}

function report(
  { flows, latency, findings, warnings, totals, told, mails, jobsPerSecond }: RunResult,
  { title, source, out }: { title: string; source: string; out: string },
) {
  const rows = flows.map(summaryRow);
  say();
  for (const [index, line] of renderTable(SUMMARY_COLUMNS, rows).entries())
    say(` ${index === 0 ? paint("bold", line) : line}`);
  const { answered, inWorker } = latency;
  say();
  say(
    ` latency p50 ${count(answered.p50Ms)} ms, p99 ${count(answered.p99Ms)} ms from publishing to reply with all that waits in between; in the worker ${inWorker.p50Ms} and ${inWorker.p99Ms} ms`,
  );
  for (const warning of warnings) say(` warning: ${printable(warning)}`);
  for (const example of findings.examples) say(paint("red", ` ${printable(example)}`));
  const verdict = findings.clean
    ? "Each job has one result and one reply, the flow equals a brute-force replay of the history, and so does who was told of what."
    : "The check found faults.";
  const page = writePictures(
    out,
    flows,
    {
      title,
      subtitle: source,
      figures: [
        { label: "jobs", value: count(totals.results) },
        { label: "events between the engines", value: count(totals.events) },
        { label: "jobs per second through all", value: count(jobsPerSecond) },
        { label: "notifications", value: count(told.notifications) },
        { label: "digests mailed", value: count(told.mails) },
        { label: "rules fired", value: count(told.rulesFired) },
        { label: "deadlines breached", value: count(told.breaches) },
        { label: "items swept", value: count(told.swept) },
        { label: "lost, doubled, different", value: Object.values(findings.counts).join(", ") },
      ],
      verdict: { good: findings.clean, text: verdict },
      table: { head: SUMMARY_COLUMNS.map((column) => column.title), rows },
    },
    digestOf(mails),
  );
  say(` pictures: ${page}`);
  say();
}

/** The one of middle length: it shows more than one item, and can be read at a glance. */
function digestOf(mails: RunResult["mails"]): string | undefined {
  const html = mails.flatMap(({ message }) => htmlOf(message) ?? []);
  return html.toSorted((a, b) => a.length - b.length)[html.length >> 1];
}

/** Says all in its message. */
const isKnown = (error: unknown): error is Error =>
  error instanceof SetUpFailed ||
  error instanceof BrokerStaysAway ||
  error instanceof BrokerUnavailable;

class Interrupted extends Error {
  override readonly name = "Interrupted";
}

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    stop.abort(new Interrupted(signal));
    // Whoever asks twice does not want to wait.
    process.once(signal, () => process.exit(EXIT_INTERRUPTED));
  });
}
try {
  process.exitCode = (await demo(stop.signal)) ? 0 : EXIT_FAILED;
} catch (error) {
  if (stop.signal.aborted) {
    console.error("demo: interrupted, everything that it started is stopped");
    process.exitCode = EXIT_INTERRUPTED;
  } else if (error instanceof HistoryError || error instanceof Misuse) {
    console.error(`demo: ${printableLines(error.message)}`);
    process.exitCode = EXIT_MISUSED;
  } else {
    console.error(isKnown(error) ? `demo: ${printableLines(error.message)}` : error);
    process.exitCode = EXIT_FAILED;
  }
}
