/** How a job should have ended, from what it was asked and what befell it; the checker's own reading of the contract. */
import type { Evidence, Story } from "../evidence.ts";
import type { PlannedJob } from "../history.ts";

export interface Ending {
  status: "succeeded" | "failed";
  code: string | null;
  attempt: number;
}

const failed = (code: string, attempt: number): Ending => ({ status: "failed", code, attempt });
const succeeded = (attempt: number): Ending => ({ status: "succeeded", code: null, attempt });

/** The oddities that are a thrown error; the others are an answer and an uncounted retry. */
const FINE_ODDITIES = new Set(["thenable"]);

/** Every right ending of a job that neither expires nor is cancelled. */
export function rightEndings(story: Story, { maxAttempts }: Evidence): Ending[] {
  const { job, copies } = story;
  if (copies.some(({ isRefused }) => isRefused)) return [failed("invalid_input", 0)];
  // What the broker's delivery limit took has not run: it has its turn after all.
  const right = copies.some(({ burial }) => burial !== "expired")
    ? endingsOf(job, maxAttempts)
    : [];
  if (copies.some(({ burial, mayExpire }) => burial === "expired" || mayExpire))
    right.push(failed("expired", 0));
  return right;
}

function endingsOf({ action, input }: PlannedJob, maxAttempts: number): Ending[] {
  if (typeof input.n !== "number") return [failed("invalid_input", 0)];
  if (input.poison === true) return [failed("attempts_exhausted", maxAttempts)];
  const failures = Number(input.failures ?? 0);
  switch (action) {
    case "rejects":
      if (input.mendsAtMs === undefined) return [failed("rejected", 1)];
      // Refused at any of its attempts that came too early, else mended.
      return [failed("rejected", 1), succeeded(failures + 1)];
    // Its runs crash, and a crash is no attempt.
    case "oom":
      return [failed("quarantined", 0)];
    case "odd":
      return FINE_ODDITIES.has(String(input.oddity))
        ? [succeeded(1)]
        : [failed("attempts_exhausted", maxAttempts)];
    case "flaky":
      return failures >= maxAttempts
        ? [failed("attempts_exhausted", maxAttempts)]
        : [succeeded(failures + 1)];
    default:
      return [succeeded(1)];
  }
}

export function expectedOutput({ id, action, input }: PlannedJob): string {
  return action === "consume"
    ? JSON.stringify({ job: id })
    : JSON.stringify({ job: id, doubled: input.n * 2, text: input.text });
}

/** `run` names the run of the handler that made it: any is right, as long as it is the row's. */
export function outputOf(reply: string): string | undefined {
  try {
    const { run: _run, ...output } = JSON.parse(reply).output;
    return JSON.stringify(output);
  } catch {
    return undefined;
  }
}

/** The input that the row answers; undefined where it says nothing of one. */
export function winningInput({ copies, inputs, row }: Story): string | undefined {
  if (inputs.length === 1) return inputs[0];
  if (row?.status !== "succeeded") return undefined;
  const winner = copies.find(({ job }) => expectedOutput(job) === outputOf(row.reply));
  return winner && JSON.stringify(winner.job.input);
}

/** Whether a copy came with another input than the one that the row answers. */
export function isConflict(story: Story, job: PlannedJob): boolean {
  const winner = winningInput(story);
  return winner !== undefined && JSON.stringify(job.input) !== winner;
}

/** Events that a job announces when it succeeds; undefined where it does not say. */
export function expectedEvents({ action, input }: PlannedJob): number {
  return action === "consume" ? 0 : Number(input.events ?? 0);
}

/** The code of a reply's error, or undefined for a success. */
export function codeOf(body: string): string | undefined {
  try {
    return JSON.parse(body).error?.code;
  } catch {
    return "unreadable";
  }
}
