/** Which of npm's advisories end a check, and which are only told. */

export interface AcceptedAdvisory {
  /** GHSA-… */
  id: string;
  why: string;
  /** The day, as 2027-01-31, from which it counts again. */
  until: string;
}

interface Advisory {
  name: string;
  title: string;
  url: string;
  severity: string;
}

/** Of `npm audit --json`: a text in `via` names another package that brings the advisory. */
export interface Report {
  vulnerabilities: Record<string, { via: (string | Advisory)[] }>;
}

const BAD = ["high", "critical"];

/** One line for each advisory. */
export function judge(
  { vulnerabilities }: Report,
  accepted: readonly AcceptedAdvisory[],
  now: Date,
): { bad: string[]; told: string[] } {
  const advisories = Object.values(vulnerabilities)
    .flatMap(({ via }) => via)
    .filter((one) => typeof one !== "string");
  const byUrl = new Map(advisories.map((advisory) => [advisory.url, advisory]));
  const bad: string[] = [];
  const told: string[] = [];
  for (const { name, title, url, severity } of byUrl.values()) {
    const entry = accepted.find(({ id }) => url.endsWith(`/${id}`));
    const line = `${name}: ${severity}: ${title} (${url})`;
    if (entry && now < new Date(entry.until)) told.push(`${line}: accepted: ${entry.why}`);
    else if (BAD.includes(severity)) bad.push(line);
    else told.push(line);
  }
  return { bad, told };
}
