/** What the scheduler counts beside its jobs. Labels are words of its own, never names. */
import type { BackgroundContext } from "@tl-engine/shared";
import { Counter, Gauge, Histogram } from "prom-client";
import type { Round } from "./round.ts";

/** Upper bounds, seconds: half a second is usual, and past a minute somebody was away. */
const BUCKETS_S = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600];

export function countRounds(
  registry: BackgroundContext["registry"],
  overdueS: () => number,
): (round: Round) => void {
  const registers = [registry];
  const passedOver = new Counter({
    name: "engine_scheduler_slots_not_run_total",
    help: "Slots of schedules that were not run: missed, when no scheduler was there, or skipped, while the run before went on",
    labelNames: ["why"],
    registers,
  });
  for (const why of ["missed", "skipped"]) passedOver.inc({ why }, 0);
  const lateness = new Histogram({
    name: "engine_scheduler_fire_error_seconds",
    help: "How much later than its time a job was confirmed by the broker",
    buckets: BUCKETS_S,
    registers,
  });
  const refused = new Counter({
    name: "engine_scheduler_refused_total",
    help: "Jobs whose queue did not take them at their time, being full: they are tried again",
    registers,
  });
  new Gauge({
    name: "engine_scheduler_overdue_seconds",
    help: "By how much the job or schedule that is due first is late; 0 when none is",
    registers,
    collect() {
      this.set(overdueS());
    },
  });
  return (round) => {
    passedOver.inc({ why: "missed" }, round.missed);
    passedOver.inc({ why: "skipped" }, round.skipped);
    for (const latenessS of round.latenessS) lateness.observe(Math.max(0, latenessS));
    refused.inc(round.refused);
  };
}
