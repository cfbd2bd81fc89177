/** Measures deadlines in business hours, each with a pause: `node workers/automations/sla/sla.bench.ts`. */
import { compilePolicy, type ItemHistory, standingOf } from "./clock.ts";
import { SlaPolicy } from "./schemas.ts";

const ITEMS = 100_000;
const HOUR_MS = 3_600_000;
const BEGIN = Date.UTC(2024, 0);

const policy = compilePolicy(
  SlaPolicy.parse({
    ...{ pauseStates: ["waiting"], stopStates: ["done"], targetSeconds: 40 * 3_600 },
    calendar: {
      timeZone: "America/Santiago",
      periods: [
        {
          days: ["monday", "tuesday", "wednesday", "thursday", "friday"],
          ...{ from: "08:30", to: "17:30" },
        },
      ],
      holidays: ["2024-09-18", "2024-09-19", "2025-09-18", "2025-09-19"],
    },
  }),
);
const items = Array.from({ length: ITEMS }, (_, n): ItemHistory => {
  const createdMs = BEGIN + ((n * 7_919) % 17_000) * HOUR_MS;
  return {
    ...{ createdMs, priority: "none" },
    changes: [
      { atMs: createdMs + HOUR_MS, state: "waiting" },
      { atMs: createdMs + 20 * HOUR_MS, state: "todo" },
    ],
  };
});

for (let run = 1; run <= 5; run++) {
  const begun = performance.now();
  for (const item of items) standingOf(policy, item, item.createdMs + 30 * HOUR_MS);
  const ms = performance.now() - begun;
  console.log(`sla: deadlines=${ITEMS} ms=${Math.round(ms)}`);
}
