/** Reminders of what is due: an entry in the digest of each receiver, once per item and stage. */
import type { Job } from "@tl-engine/shared";
import type { MailEntry } from "./entry.ts";
import { readMembers } from "./member.ts";
import { queueMail } from "./queue.ts";
import type { RemindInput, RemindOutput } from "./schemas.ts";
import type { MailSettings } from "./settings.ts";
import { setTimers, type TimerJob } from "./timer.ts";
import { offsetAt } from "./zones.ts";

const DAY_MS = 86_400_000;

/**
 * However often it is called: a person hears of an item once when it is due soon, once the day before, once on the
 * day, and once when it is over, by the days of their own zone; and of all of them in one digest a window.
 */
export async function remind(
  { workspaceId, projectId, items }: RemindInput,
  job: Pick<Job, "tx" | "env"> & TimerJob,
  nowMs = Date.now(),
): Promise<RemindOutput> {
  const tx = await job.tx();
  const members = await readMembers(tx, [...new Set(items.flatMap(({ receivers }) => receivers))]);
  const entries = items.flatMap((item) =>
    item.receivers.flatMap((receiverId): MailEntry[] => {
      const member = members.get(receiverId);
      if (member === undefined) return [];
      const stage = stageOf(item.targetDate, member.timeZone, nowMs);
      return [
        {
          ...{ receiverId, workspaceId, projectId, issueId: item.id },
          ...{
            issueKey: item.key,
            issueName: item.name,
            actorId: "",
            activityId: `due:${item.id}:${item.targetDate}:${stage}`,
          },
          ...{
            reason: "due",
            field: "due",
            verb: "due",
            oldValue: null,
            newValue: item.targetDate,
            at: nowMs,
          },
        },
      ];
    }),
  );
  const timers = await queueMail(tx, entries, job.env as MailSettings, nowMs);
  setTimers(job, timers);
  return { windows: timers.length };
}

function stageOf(targetDate: string, timeZone: string, nowMs: number): string {
  const today = Math.floor((nowMs + offsetAt(timeZone, nowMs).offsetMs) / DAY_MS);
  const days = Date.parse(`${targetDate}T00:00:00Z`) / DAY_MS - today;
  return days < 0 ? "over" : days === 0 ? "today" : days === 1 ? "tomorrow" : "soon";
}
