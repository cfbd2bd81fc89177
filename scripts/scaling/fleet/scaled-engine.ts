/** One ScaledObject at work: asks its triggers when KEDA or the HPA would, and scales its Deployment. */
import { setTimeout as delay } from "node:timers/promises";
import { createAutoscaler, type TriggerReading } from "../autoscaler.ts";
import { askTrigger } from "../keda/management.ts";
import type { RabbitMqTrigger, ScaledObject } from "../keda/scaled-object.ts";
import type { Deployment } from "./deployment.ts";

export interface ScaledEngineOptions {
  scaledObject: ScaledObject;
  deployment: Deployment;
  /** Seconds of KEDA's and the HPA's clocks in one second. */
  timeScale: number;
  onEvent(text: string): void;
  /** Default: the management API. */
  ask?: (trigger: RabbitMqTrigger) => Promise<TriggerReading>;
}

export interface ScaledEngine {
  readonly scaledObject: ScaledObject;
  readonly deployment: Deployment;
  /** The largest figure of its triggers; undefined until one is known. */
  readonly depth: number | undefined;
  /** Why a trigger could not be asked the last time. */
  readonly error: string | undefined;
  /** What KEDA's loop and the HPA made of it the last time. */
  readonly reasons: string;
  readonly totals: { asked: number; unanswered: number; peakReplicas: number };
  /** Runs until the signal. */
  run(signal: AbortSignal): Promise<void>;
}

export function createScaledEngine(options: ScaledEngineOptions): ScaledEngine {
  const { scaledObject, deployment, timeScale, onEvent, ask = askTrigger } = options;
  const { name, triggers } = scaledObject;
  const totals = { asked: 0, unanswered: 0, peakReplicas: 0 };
  let depth: number | undefined;
  let error: string | undefined;
  let doubt: string | undefined;
  let reasons = "not asked yet";

  const learn = (readings: TriggerReading[]) => {
    totals.asked++;
    const values = readings.flatMap((reading) => ("error" in reading ? [] : [reading.value]));
    if (values.length > 0) depth = Math.max(...values);
    const failed = readings.find((reading) => "error" in reading)?.error;
    if (failed !== undefined) totals.unanswered++;
    if (failed !== undefined && error === undefined)
      onEvent(`${name}: ${failed}; ${deployment.replicas} replicas are kept`);
    if (failed === undefined && error !== undefined) onEvent(`${name}: its trigger answers again`);
    error = failed;
    const doubted = readings.flatMap((reading) => ("doubt" in reading ? [reading.doubt] : []))[0];
    if (doubted !== undefined && doubted !== doubt) onEvent(`${name}: ${doubted}`);
    doubt = doubted;
  };

  const scale = (wanted: number, why: string) => {
    if (wanted === deployment.replicas) return;
    onEvent(`${name}: ${deployment.replicas} → ${wanted} replicas. ${why}`);
    totals.peakReplicas = Math.max(totals.peakReplicas, wanted);
    deployment.scale(wanted);
  };

  return {
    scaledObject,
    deployment,
    totals,
    get depth() {
      return depth;
    },
    get error() {
      return error;
    },
    get reasons() {
      return reasons;
    },
    async run(signal) {
      const startedAtMs = performance.now();
      const nowMs = () => (performance.now() - startedAtMs) * timeScale;
      const autoscaler = createAutoscaler(scaledObject, 0);
      while (!signal.aborted) {
        const waitMs = Math.max(0, autoscaler.nextMs - nowMs()) / timeScale;
        await delay(Math.ceil(waitMs), undefined, { signal }).catch(() => {});
        if (signal.aborted) return;
        const readings = await Promise.all(triggers.map(ask));
        if (signal.aborted) return;
        learn(readings);
        const wanted = autoscaler.step(nowMs(), deployment.replicas, readings);
        reasons = autoscaler.reasons;
        scale(wanted, autoscaler.why);
      }
    },
  };
}
