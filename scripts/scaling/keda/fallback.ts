/** Counts how often triggers could not be asked in a row, and what a ScaledObject's fallback makes of it. */
import type { TriggerReading } from "../autoscaler.ts";
import type { HpaMetric } from "../hpa/hpa.ts";
import type { ScaledObject } from "./scaled-object.ts";

export interface FailureCount {
  /** Counts one asking of all triggers, by KEDA's loop or by the HPA. */
  count(readings: readonly TriggerReading[]): void;
  /**
   * Whether a trigger failed more often in a row than the threshold. KEDA takes it for active since 2.19,
   * so a broker outage wakes what is at 0, whatever the fallback's replicas.
   */
  readonly fallbackActive: boolean;
  /** What the HPA is told: a failed trigger's figure is that of the fallback's replicas, once it is active. */
  metrics(readings: readonly TriggerReading[]): HpaMetric[];
}

export function createFailureCount({ triggers, fallback }: ScaledObject): FailureCount {
  const inARow = triggers.map(() => 0);
  const isPast = (index: number) =>
    fallback !== undefined && (inARow[index] ?? 0) > fallback.failureThreshold;
  return {
    count(readings) {
      for (const [index, reading] of readings.entries())
        inARow[index] = "error" in reading ? (inARow[index] ?? 0) + 1 : 0;
    },
    get fallbackActive() {
      return inARow.some((_, index) => isPast(index));
    },
    metrics: (readings) =>
      readings.map((reading, index) => {
        const target = triggers[index]?.value ?? 1;
        if (!("error" in reading)) return { usage: reading.value, target };
        if (fallback && isPast(index)) return { usage: fallback.replicas * target, target };
        return { error: reading.error };
      }),
  };
}
