/** The engine, with one action more that queues the mails that it is given. */
import { action, defineWorker } from "@tl-engine/shared";
import { z } from "zod";
import notifications from "../index.ts";
import type { MailEntry } from "./entry.ts";
import { queueMail } from "./queue.ts";
import type { MailSettings } from "./settings.ts";
import { setTimers } from "./timer.ts";

export default defineWorker({
  ...notifications,
  actions: {
    ...notifications.actions,
    queue: action({
      version: 1,
      input: z.object({ entries: z.array(z.custom<MailEntry>()), nowMs: z.number().optional() }),
      output: z.object({ timers: z.array(z.custom<object>()) }),
      handleBatch: async (jobs, batch) => {
        const outputs: { timers: object[] }[] = [];
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
