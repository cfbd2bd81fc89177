/** The mail's actions as an engine, with one that queues what it is given. */
import { action, defineWorker } from "@tl-engine/shared";
import { z } from "zod";
import { mailActions } from "./actions.ts";
import type { MailEntry } from "./entry.ts";
import { purgeMails } from "./purge.ts";
import { queueMail } from "./queue.ts";
import { MailSettings } from "./settings.ts";
import { setTimers } from "./timer.ts";

export default defineWorker({
  name: "notifications",
  concurrency: 16,
  timeoutMs: 60_000,
  transactions: 8,
  env: MailSettings,
  purge: purgeMails,
  actions: {
    ...mailActions,
    queue: action({
      version: 1,
      input: z.object({ entries: z.array(z.custom<MailEntry>()), nowMs: z.number().optional() }),
      output: z.object({ timers: z.array(z.json()) }),
      handleBatch: async (jobs, batch) => {
        const outputs = [];
        for (const job of jobs) {
          const { entries, nowMs } = job.input;
          const timers = await queueMail(batch.tx, entries, batch.env as MailSettings, nowMs);
          setTimers(job, timers);
          outputs.push({ timers: timers.map(({ id, input }) => ({ id, ...input })) });
        }
        return outputs;
      },
    }),
  },
});

/** Until the engine has its own. */
export const MEMBERS = `create table if not exists engine_notifications.members (
  id text primary key, workspace_id text, address text, locale text, time_zone text, window_minutes integer,
  quiet_from integer, quiet_to integer, active boolean not null default true, level text)`;
