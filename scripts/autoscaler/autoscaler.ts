/** What KEDA's loop and the HPA learn of a ScaledObject's triggers when they ask. */

/** One trigger's answer. */
export type TriggerReading =
  | {
      /** The figure that is compared with the trigger's `value`, over all replicas. */
      value: number;
      /** Whether the trigger alone would keep the workload awake. */
      active: boolean;
    }
  | { error: string };
