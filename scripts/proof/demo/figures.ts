/**
 * Figures of a real open-source tracker (3,036 issues, 11,363 change sets, 2007–2014), measured on
 * the Jira histories published with the 2015 ASE paper on delayed issues; the generator follows them.
 */

export const SPAN = { firstMonth: "2007-02", months: 91 } as const;
export const PROJECTS = 18;
export const PEOPLE = 111;

/**
 * Issues created a month: 23 in the median, 101 at most. The deviation of the logarithm is the one
 * that makes the mean 33, that is about 3,000 issues in all.
 */
export const CREATED_PER_MONTH = { median: 23, max: 101, sigma: 0.95 } as const;

/**
 * Change sets an issue: median 3, 90th percentile 7 (which gives the deviation), 26 at most. Drawn a
 * little lower, since a long path of statuses may need more of them than are drawn.
 */
export const CHANGE_SETS = { median: 2.8, max: 26, sigma: Math.log(7 / 3) / 1.2816 } as const;

/** Percent of all changes made by each of the ten busiest people; the others share the rest. */
export const BUSIEST_PERCENT = [20, 11, 8, 8, 6, 5, 4, 3, 3, 2] as const;

export const TYPES = {
  Bug: 39,
  Story: 36,
  Improvement: 9,
  Task: 5,
  "Technical task": 4,
  "New Feature": 4,
  Documentation: 2,
  Epic: 1,
} as const;

export const PRIORITIES = { Minor: 64, Major: 21, Critical: 7, Blocker: 5, Trivial: 3 } as const;

/** An issue starts as Received or Open, about one to one. */
export const FIRST_STATUS = { Received: 1, Open: 1 } as const;

/** How often each status was left for each other one. In Review's own are an assumption: mostly done. */
export const TRANSITIONS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  Received: { Open: 1_071, Closed: 352 },
  Open: { Closed: 910, Resolved: 654, "In Progress": 590 },
  "In Progress": { Closed: 364, Open: 107, Resolved: 62, "In Review": 45 },
  "In Review": { Closed: 6, Reopened: 1 },
  Resolved: { Closed: 560, Reopened: 52 },
  Closed: { Reopened: 102 },
  Reopened: { Resolved: 73, Closed: 66 },
};

/** Of the about 2,290 closings, 102 were reopened; the others are for good. */
export const CLOSED_FOR_GOOD = 1 - 102 / 2_290;

/**
 * Median hours in a status; log-normal, deviation about 4 in ln hours. Measured on stays that ended
 * (295 and 505 for the first two), so the true medians are longer where many last past the end of the
 * history: these give the measured ones back. The last two are assumptions.
 */
export const MEDIAN_HOURS: Readonly<Record<string, number>> = {
  Received: 500,
  Open: 1_200,
  "In Progress": 48,
  "In Review": 131,
  Resolved: 93,
  Closed: 93,
  Reopened: 93,
};
export const HOURS_SIGMA = 4;

/** Percent of changes by weekday from Monday, and by UTC hour from 0. */
export const WEEKDAY_PERCENT = [13, 27, 14, 22, 19, 2, 4] as const;
export const HOUR_PERCENT = [
  1.0, 2.4, 1.4, 0.9, 0.9, 1.4, 0.4, 1.4, 1.3, 1.5, 1.7, 2.9, 5.7, 5.3, 6.3, 11.0, 7.2, 11.7, 9.0,
  10.2, 5.1, 4.6, 4.8, 2.0,
] as const;

/** How an issue ends: round numbers, an assumption. */
export const RESOLUTIONS = {
  Fixed: 82,
  "Won't Fix": 9,
  Duplicate: 5,
  "Cannot Reproduce": 3,
  Incomplete: 1,
} as const;

/** What change sets touch that leave the status alone: round numbers, an assumption. */
export const OTHER_CHANGES = {
  fixVersion: 40,
  assignee: 20,
  type: 15,
  component: 8,
  priority: 6,
  "Story Points": 5,
  timeestimate: 3,
  duedate: 2,
  labels: 1,
  parent: 1,
} as const;
