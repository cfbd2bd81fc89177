/** Rule i: a dead letter is the job as it was sent, with how it ended, and every failure has one. */
import type { Copy, Evidence, Story } from "../evidence.ts";
import type { Finding } from "../finding.ts";
import type { StampedOf } from "../history.ts";
import { isConflict, rightEndings } from "./expected.ts";

type Letter = StampedOf<"letter">;
const CONFLICT = "idempotency_conflict";
const codeOf = ({ headers }: Letter) => headers["x-error-code"];

/** i. Every failure has its dead letter, and a success has none. */
export function failuresHaveLetters({ stories, owedCopies }: Evidence): Finding[] {
  const findings: Finding[] = [];
  for (const story of stories.values()) {
    const { id: jobId, row, letters, copies } = story;
    if (row?.status === "failed" && !letters.some((letter) => codeOf(letter) === row.code))
      findings.push({
        rule: "i",
        category: "lost",
        jobId,
        message: `failed (${row.code}), yet no dead letter says so`,
      });
    for (const copy of copies) {
      if (!owedCopies.has(copy.copy)) continue;
      if (copy.isRefused && row === undefined && letters.length === 0)
        findings.push({
          rule: "i",
          category: "lost",
          jobId,
          message: `what nobody can take (${copy.oddity}) has no dead letter`,
        });
      if (!isConflict(story, copy.job)) continue;
      const body = JSON.stringify(copy.job.input);
      if (!letters.some((letter) => codeOf(letter) === CONFLICT && letter.body === body))
        findings.push({
          rule: "i",
          category: "lost",
          jobId,
          message: `the conflict of ${copy.copy} has no dead letter`,
        });
    }
  }
  return findings;
}

/** i. A dead letter holds the body and the properties of the message that it was, and its error. */
export function lettersAreTheJob(evidence: Evidence): Finding[] {
  const findings: Finding[] = [];
  for (const story of evidence.stories.values()) {
    for (const letter of story.letters) {
      const wrong = wrongLetter(letter, story, evidence);
      if (wrong)
        findings.push({
          rule: "i",
          category: "other",
          jobId: story.id,
          message: `a dead letter ${wrong}`,
        });
    }
  }
  return findings;
}

function wrongLetter(letter: Letter, story: Story, evidence: Evidence): string | undefined {
  const copies = story.copies.filter((copy) => copy.correlationId === letter.correlationId);
  if (copies.length === 0) return `under the correlation id ${letter.correlationId}`;
  const differences = copies.map((copy) => difference(letter, copy));
  if (!differences.includes(undefined)) return differences[0];
  return wrongCode(letter, story, evidence);
}

/** What of the letter is not what was published. */
function difference(letter: Letter, copy: Copy): string | undefined {
  const { headers } = letter;
  if (letter.body !== JSON.stringify(copy.job.input))
    return `with the body ${letter.body.slice(0, 100)}`;
  const { oddity } = copy;
  if (letter.type !== (oddity === "type" ? "undefined" : `crash.${copy.job.action}.v1`))
    return `of the type ${letter.type}`;
  if (letter.replyTo !== copy.replyTo) return `with the reply_to ${letter.replyTo}`;
  // What is no text is told as bytes that are nothing special.
  const contentType = oddity === "content-type" ? "application/octet-stream" : "application/json";
  if (letter.contentType !== contentType) return `of content type ${letter.contentType}`;
  if (letter.timestamp !== copy.timestamp) return `with the timestamp ${letter.timestamp}`;
  if ((headers["x-replay"] ?? 0) !== copy.generation) return `of generation ${headers["x-replay"]}`;
  return undefined;
}

function wrongCode(letter: Letter, story: Story, evidence: Evidence): string | undefined {
  const { row, cancels, copies, inputs } = story;
  const code = codeOf(letter);
  const { "x-error": message, "x-attempt": attempt } = letter.headers;
  if (typeof code !== "string" || code === "") return "without an error code";
  if (typeof message !== "string" || message === "") return "without an error message";
  if (code === CONFLICT) return inputs.length > 1 ? undefined : "of a conflict that was none";
  if (row?.status === "failed" && code === row.code && row.generation === 0)
    return attempt === row.attempt
      ? undefined
      : `of attempt ${attempt}, the row is of ${row.attempt}`;
  if (row === undefined && copies.every(({ oddity }) => oddity === "message-id"))
    return code === "invalid_input" ? undefined : `of a ${code}, yet it says no id`;
  // How it ended before it was replayed.
  const isEarlier = row !== undefined && row.generation > 0;
  const isPossible =
    rightEndings(story, evidence).some((ending) => ending.code === code) ||
    (code === "cancelled" && cancels.length > 0) ||
    (code === "expired" && copies.some(({ job }) => job.deadlineMs !== undefined)) ||
    code === row?.code;
  if (isEarlier && isPossible) return undefined;
  return `of a ${code}, yet the row is ${row?.code ?? row?.status ?? "absent"}`;
}
