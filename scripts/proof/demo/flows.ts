/** Asks `analytics` for the flow of each project, and of all of them together. */

import type { AnalyticsFlowInput, AnalyticsFlowOutput } from "../../../shared/client/contract.ts";
import type { FlowWindow } from "./oracle.ts";
import type { Plan, PlannedProject } from "./plan.ts";

/** What the engine takes at most. */
const MAX_DAYS = 3_660;
const MAX_PROJECTS = 200;
const DAY_MS = 86_400_000;

export interface AskedFlow {
  title: string;
  /** Undefined for all of them. */
  project: PlannedProject | undefined;
  /** The keys of the projects in it. */
  projects: string[];
  window: FlowWindow;
  input: AnalyticsFlowInput;
}

export interface AnsweredFlow extends AskedFlow {
  answer: AnalyticsFlowOutput;
}

/** All projects together first, then each, biggest first; the first two with pictures. */
export function flowsToAsk(plan: Plan): AskedFlow[] {
  const projects = plan.projects.slice(0, MAX_PROJECTS);
  const firstDay = projects.map((project) => project.firstDay).sort()[0] ?? plan.lastDay;
  const ask = (title: string, scope: PlannedProject[], from: string, svg: boolean): AskedFlow => {
    const [project, ...others] = scope;
    const window = { from: withinReach(from, plan.lastDay), to: plan.lastDay };
    const ids = scope.map(({ id }) => id);
    return {
      title,
      project: others.length === 0 ? project : undefined,
      projects: scope.map(({ key }) => key),
      window,
      input: {
        scope: {
          workspaceId: plan.workspaceId,
          ...(others.length === 0 ? { projectId: ids[0] } : { projectIds: ids }),
        },
        window: { ...window, timeZone: "UTC" },
        metrics: ["burn", "cumulativeFlow", "cycleTime", "throughput", "aging"],
        asOf: `${plan.lastDay}T23:59:59.999Z`,
        forecast: { historyDays: 365, percentiles: [50, 85, 95], simulations: 2_000 },
        svg,
        title,
      },
    };
  };
  const each = projects.map((project, index) =>
    ask(`Project ${project.key}`, [project], earlier(project.firstDay, plan.lastDay), index === 0),
  );
  if (projects.length < 2) return each;
  return [ask(`All ${projects.length} projects`, projects, firstDay, true), ...each];
}

const earlier = (a: string, b: string) => (a < b ? a : b);

/** The last ten years of a longer history. */
function withinReach(from: string, to: string): string {
  const first = Math.max(Date.parse(from), Date.parse(to) - (MAX_DAYS - 1) * DAY_MS);
  return new Date(first).toISOString().slice(0, 10);
}
