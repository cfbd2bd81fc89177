/** Rule c: each caller hears of each of its messages, in its own queue, under its own correlation id, what the row says. */
import type { Copy, Evidence, ResultRow, Story } from "../evidence.ts";
import type { Finding } from "../finding.ts";
import type { StampedOf } from "../history.ts";
import { codeOf, expectedOutput, isConflict, outputOf } from "./expected.ts";

type Reply = StampedOf<"reply">;
const CONFLICT = "idempotency_conflict";

/** c. A success holds the job's own output. */
export function outputsAreRight({ stories }: Evidence): Finding[] {
  return [...stories.values()]
    .filter(
      ({ row, copies }) =>
        row?.status === "succeeded" &&
        !copies.some(({ job }) => expectedOutput(job) === outputOf(row.reply)),
    )
    .map(({ id, row }) => ({
      rule: "c",
      category: "other",
      jobId: id,
      message: `wrong output: ${row?.reply.slice(0, 200)}`,
    }));
}

/** c. Who asked for a reply has one, to each message that was confirmed. */
export function everyCopyIsAnswered({ stories, owedCopies }: Evidence): Finding[] {
  const findings: Finding[] = [];
  for (const story of stories.values()) {
    const newest = Math.max(...story.copies.map(({ generation }) => generation));
    for (const copy of story.copies) {
      if (copy.replyTo === undefined || copy.isDeaf || !owedCopies.has(copy.copy) || !story.row)
        continue;
      const heard = story.replies.filter((reply) => isFor(reply, copy));
      const message = unanswered(story, copy, heard, newest);
      if (message) findings.push({ rule: "c", category: "lost", jobId: story.id, message });
    }
  }
  return findings;
}

function unanswered(story: Story, copy: Copy, heard: Reply[], newest: number): string | undefined {
  const who = `${copy.caller} (${copy.correlationId ?? "no correlation id"})`;
  if (heard.length === 0) return `${who} asked and got no reply`;
  if (isConflict(story, copy.job))
    return heard.some(({ body }) => codeOf(body) === CONFLICT)
      ? undefined
      : `${who} was not told of the conflict`;
  const isLast = copy.generation === newest;
  if (isLast && copy.generation > 0 && !heard.some(({ body }) => body === story.row?.reply))
    return `${who} was not told what the replay came to`;
  return undefined;
}

const isFor = (reply: Reply, copy: Copy) =>
  reply.queue === copy.replyTo && reply.correlationId === (copy.correlationId ?? copy.job.id);

/** c. Every reply is one that somebody asked for, in that caller's queue, and says what the row says. */
export function repliesAreTheRow(evidence: Evidence): Finding[] {
  const findings: Finding[] = [];
  for (const reply of evidence.of("reply")) {
    const { correlationId, queue } = reply;
    const copies =
      evidence.copiesByCorrelation.get(correlationId) ??
      evidence.stories.get(correlationId)?.copies.filter((copy) => !copy.correlationId) ??
      [];
    const jobId = copies[0]?.job.id;
    const say = (category: Finding["category"], message: string) =>
      findings.push({ rule: "c", category, ...(jobId ? { jobId } : {}), message });
    if (jobId === undefined) {
      const about = `${reply.id}, ${correlationId}`;
      say("misdirected", `a reply under a correlation id that nobody gave: ${about}`);
      continue;
    }
    const own = copies.filter(({ replyTo }) => replyTo === queue);
    if (own.length === 0) say("misdirected", `a reply in ${queue}, where nobody waits for it`);
    const story = evidence.stories.get(jobId) as Story;
    const wrong = story.row ? wrongReply(reply, story, own, story.row) : "a reply, yet no row";
    if (wrong) say("double_effects", wrong);
  }
  findings.push(...bodiesAndIds(evidence));
  return findings;
}

function wrongReply(reply: Reply, story: Story, asked: Copy[], row: ResultRow): string | undefined {
  const { body, type, attempt } = reply;
  const code = codeOf(body);
  const ending = code === undefined ? "result" : "error";
  const right = `crash.${story.job.action}.v1.${ending}`;
  if (type !== right) return `a reply of the type ${type} instead of ${right}`;
  const conflicts = asked.filter((copy) => isConflict(story, copy.job));
  if (code === CONFLICT)
    return conflicts.length > 0 ? undefined : "told of a conflict, yet its input is the row's";
  if (asked.length > 0 && conflicts.length === asked.length)
    return `an answer to another input: ${body.slice(0, 200)}`;
  if (body === row.reply)
    return attempt === row.attempt
      ? undefined
      : `a reply of attempt ${attempt}, the row is of ${row.attempt}`;
  // What was said before the job was replayed. A success is never said twice in two ways.
  if (code !== undefined && row.generation > 0) return undefined;
  return `a reply that is not the row's: ${body.slice(0, 200)}`;
}

/** c. One way to end has one id and one body. */
function bodiesAndIds({ stories }: Evidence): Finding[] {
  const findings: Finding[] = [];
  for (const { id: jobId, replies, copies } of stories.values()) {
    const say = (category: Finding["category"], message: string) =>
      findings.push({ rule: "c", category, jobId, message });
    for (const [id, same] of Map.groupBy(replies, (reply) => reply.id))
      if (new Set(same.map(({ body }) => body)).size > 1)
        say("double_effects", `several bodies under the reply id ${id}`);
    const isReplayed = copies.some(({ generation }) => generation > 0);
    for (const same of Map.groupBy(replies, ({ body }) => body).values()) {
      const ids = new Set(same.map(({ id }) => id));
      if (ids.size > 1 && !isReplayed) say("other", `one reply under ${ids.size} ids`);
    }
    const successes = replies.filter(({ body }) => codeOf(body) === undefined);
    if (new Set(successes.map(({ body }) => body)).size > 1)
      say("double_effects", "told of two different successes");
  }
  return findings;
}
