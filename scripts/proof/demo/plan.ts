/** What is published: every issue's creation and every change set as one job for `activities.record`. */

import { randomFrom } from "../../show/random.ts";
import { type Audience, gatherAudience } from "./audience.ts";
import type { Issue } from "./history.ts";
import { type ChangeInput, replayIssue } from "./plan-issue.ts";
import { planeIds } from "./plane.ts";

export interface PlannedJob {
  /** Deterministic from the run, the issue and the change set's place in it. */
  id: string;
  projectId: string;
  input: ChangeInput;
}

export interface PlannedProject {
  key: string;
  id: string;
  issues: number;
  /** UTC day of the first creation. */
  firstDay: string;
}

export interface Plan {
  runId: string;
  workspaceId: string;
  /** Biggest first. */
  projects: PlannedProject[];
  /** By time. */
  jobs: PlannedJob[];
  /** Indexes into `jobs` in the order of publishing; some come twice. */
  publishes: number[];
  /** Work item id → issue key. */
  keyOfItem: Map<string, string>;
  /** The last UTC day that the flow is asked for. */
  lastDay: string;
  /** Who is told of it. */
  audience: Audience;
}

export interface PlanOptions {
  /** Sets the ids of this run apart from those of an earlier one on the same services. */
  runId: string;
  seed: string;
  /** How far, in places, a job may be published from where it belongs. */
  windowJobs?: number;
  /** Share of the jobs that are published twice. */
  twice?: number;
  /** Whether people talk about their items, too, and mention each other. */
  comments?: boolean;
}

const byTime = (a: PlannedJob, b: PlannedJob) => a.input.epoch - b.input.epoch;

export function planJobs(issues: Issue[], options: PlanOptions): Plan {
  const { runId, seed, windowJobs = 500, twice = 0.02, comments = false } = options;
  const ids = planeIds(runId);
  const jobs: PlannedJob[] = [];
  const projects = new Map<string, PlannedProject>();
  const keyOfItem = new Map<string, string>();
  for (const [index, issue] of issues.entries()) {
    const project = projects.get(issue.project) ?? {
      key: issue.project,
      id: ids("project", issue.project),
      issues: 0,
      firstDay: utcDay(issue.createdAt),
    };
    projects.set(issue.project, project);
    project.issues++;
    if (utcDay(issue.createdAt) < project.firstDay) project.firstDay = utcDay(issue.createdAt);
    const inputs = replayIssue(issue, ids);
    for (const [step, input] of inputs.entries())
      jobs.push({ id: jobId(runId, issue.key, index, step), projectId: project.id, input });
    keyOfItem.set(ids("issue", issue.key), issue.key);
  }
  jobs.sort(byTime);
  const audience = gatherAudience(jobs, ids, seed);
  if (comments) jobs.push(...audience.comments);
  jobs.sort(byTime);
  return {
    audience,
    runId,
    workspaceId: ids("workspace", ""),
    projects: [...projects.values()].sort((a, b) => b.issues - a.issues),
    jobs,
    publishes: publishOrder(jobs.length, seed, windowJobs, twice),
    keyOfItem,
    lastDay: lastDay(issues),
  };
}

/** Keys of an unknown tracker may hold what a job id must not, or be too long for one. */
function jobId(runId: string, key: string, index: number, step: number): string {
  const name = /^[A-Za-z0-9._-]{1,60}$/.test(key) ? key : `line-${index + 1}`;
  return `demo.${runId}.${name}.${step}`;
}

/** Moves each job at most `windowJobs` places, and puts a share of them in once more nearby. */
export function publishOrder(jobs: number, seed: string, windowJobs: number, twice: number) {
  const rng = randomFrom(`${seed}/publish`);
  const places = Array.from({ length: jobs }, (_, job) => ({ job, place: job }));
  const again = new Set<number>();
  while (again.size < Math.round(jobs * twice)) again.add(rng.below(jobs));
  for (const job of again) places.push({ job, place: job });
  for (const slot of places) slot.place += rng.next() * windowJobs;
  return places.sort((a, b) => a.place - b.place).map(({ job }) => job);
}

/** The day of the last creation, unless more than 1 % of the change sets come later (not stragglers). */
function lastDay(issues: Issue[]): string {
  const changed = issues
    .flatMap((issue) => issue.changes.map((change) => utcDay(change.at)))
    .sort();
  const lastCreated =
    issues
      .map((issue) => utcDay(issue.createdAt))
      .sort()
      .at(-1) ?? "";
  const later = changed.filter((day) => day > lastCreated);
  return later.length <= changed.length * 0.01 ? lastCreated : (later.at(-1) ?? lastCreated);
}

const utcDay = (instant: string) => new Date(instant).toISOString().slice(0, 10);
