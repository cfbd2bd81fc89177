/** ScaledObjects that do what their author meant, and the time that a pod gets to leave. */
import { hasBulkLane } from "../../../../shared/broker/lanes.ts";
import { drainDeadlineMs, exitDeadlineMs } from "../../../../shared/engine/deadlines.ts";
import { brokerNames } from "../../../../shared/wire/names.ts";
import { quantity } from "../../read/quantity.ts";
import { listIn, textIn, valueAt } from "../../read/value-at.ts";
import { graceSecondsOf } from "../../read/workload.ts";
import { eachTrigger, find, ofKind, type Rule, settingOf } from "../world.ts";

/** RabbitMQ's default, 30 min: https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout */
const CONSUMER_TIMEOUT_S = 1_800;

const timeoutsOrdered: Rule = {
  name: "timeouts-ordered",
  reason:
    "handler < drain < forced exit < grace period < consumer timeout, or a job is killed in the middle or delivered twice",
  check(world, report) {
    for (const engine of world.engines) {
      const deployment = find(world, "Deployment", engine.name);
      if (!deployment) continue;
      const path = ["spec", "template", "spec", "terminationGracePeriodSeconds"];
      const graceS = graceSecondsOf(deployment);
      const [drainS, exitS] = [drainDeadlineMs(engine) / 1_000, exitDeadlineMs(engine) / 1_000];
      const hooks = listIn(deployment, ["spec", "template", "spec", "containers"]).some(
        (container) => (container as { lifecycle?: { preStop?: unknown } }).lifecycle?.preStop,
      );
      if (hooks)
        report(
          deployment.placeOf(["spec", "template", "spec", "containers"]),
          `${engine.name} has a preStop hook, which takes its time from the grace period`,
          "remove it: a worker drains at SIGTERM",
        );
      if (graceS <= exitS)
        report(
          deployment.placeOf(path),
          `${engine.name} gets ${graceS} s to end, and may need ${exitS} s (timeoutMs ${engine.timeoutMs}, ${drainS - engine.timeoutMs / 1_000} s more to drain, ${exitS - drainS} s to exit)`,
          `write ${Math.ceil((exitS + 8) / 5) * 5}`,
        );
      if (graceS >= CONSUMER_TIMEOUT_S)
        report(
          deployment.placeOf(path),
          `${engine.name} gets ${graceS} s to end, and the broker cuts a consumer off after ${CONSUMER_TIMEOUT_S} s`,
          "lower it, and the engine's timeoutMs",
        );
    }
  },
};

const EXPLICIT = [
  ["pollingInterval"],
  ["cooldownPeriod"],
  ["minReplicaCount"],
  ["maxReplicaCount"],
  ["advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleUp"],
  ["advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleDown"],
];

const explicitScaling: Rule = {
  name: "explicit-scaling",
  reason: "what is left out has a default that costs: maxReplicaCount is 100 then",
  check(world, report) {
    for (const object of ofKind(world, "ScaledObject")) {
      for (const path of EXPLICIT)
        if (valueAt(object, ["spec", ...path]) === undefined)
          report(
            object.placeOf(["spec", ...path]),
            `the ScaledObject ${object.name} leaves out ${path.join(".")}`,
            "write it, with the reason for its value",
          );
    }
  },
};

const alwaysOn: Rule = {
  name: "always-on",
  reason:
    "what an engine runs beside its jobs stands still while it has no pod, and no queue tells KEDA of it",
  check(world, report) {
    for (const { name, background } of world.engines) {
      const object = find(world, "ScaledObject", name);
      const path = ["spec", "minReplicaCount"];
      if (background === undefined || !object || Number(valueAt(object, path) ?? 0) > 0) continue;
      report(
        object.placeOf(path),
        `${name} runs something beside its jobs, and may have no replica`,
        "write minReplicaCount: 1, with the reason and what it costs",
      );
    }
  },
};

const queueDepth: Rule = {
  name: "queue-depth",
  reason:
    "only the management API counts what a worker has in hand; without that an engine at its last job looks idle and is stopped under it",
  check(world, report) {
    const wanted: Record<string, string> = {
      protocol: "http",
      mode: "QueueLength",
      excludeUnacknowledged: "false",
      activationValue: "0",
      timeout: "",
    };
    eachTrigger(world, (object, at, { type }) => {
      if (type !== "rabbitmq") return;
      for (const [field, value] of Object.entries(wanted)) {
        const path = [...at, "metadata", field];
        const given = textIn(object, path);
        if (given === "" || (value !== "" && given !== value))
          report(
            object.placeOf(path),
            `the trigger of ${object.name} has ${given === "" ? `no ${field}` : `${field} ${given}`}`,
            value === ""
              ? "write one, such as 3s"
              : `write ${field}: ${value === "http" || value === "QueueLength" ? value : `"${value}"`}`,
          );
      }
    });
  },
};

const fallbackCost: Rule = {
  name: "fallback-cost",
  reason:
    "an active fallback counts as active, so an outage of the broker wakes engines from zero and bills their pods",
  check(world, report) {
    for (const object of ofKind(world, "ScaledObject")) {
      if (!(Number(valueAt(object, ["spec", "fallback", "replicas"]) ?? 0) > 0)) continue;
      const place = object.placeOf(["spec", "fallback"]);
      const lines = (world.files.read(place.file) ?? "").split("\n").slice(0, place.line - 1);
      const above: string[] = [];
      while (lines.at(-1)?.trimStart().startsWith("#")) above.push(lines.pop() ?? "");
      if (!/\b(costs?|bills?|pod-hours?|\$|USD)/i.test(above.join(" ")))
        report(
          place,
          `the fallback of ${object.name} wakes it while the broker can't be asked, and no comment says what that costs`,
          "remove it, or say above it what an hour of it costs",
        );
    }
  },
};

const RATE = "tl-engine/jobs-per-second-per-replica";
const WAIT = "tl-engine/target-wait-seconds";
const BULK_WAIT = "tl-engine/bulk-target-wait-seconds";

const targetValue: Rule = {
  name: "target-value",
  reason:
    "a target is what one replica does in a second, times the seconds that a job may wait; anything else is a guess",
  check(world, report) {
    const names = brokerNames(settingOf(world, "ENGINE_PREFIX") || undefined);
    for (const object of ofKind(world, "ScaledObject")) {
      const read = (key: string) => {
        const found = Number(textIn(object, ["metadata", "annotations", key]) || Number.NaN);
        if (!(found > 0))
          report(
            object.placeOf(["metadata", "annotations", key]),
            `the ScaledObject ${object.name} has no ${key}`,
            "annotate it with a number: measured jobs per second, seconds of waiting",
          );
        return found;
      };
      const rate = read(RATE);
      const waitS = read(WAIT);
      const bulkWaitS = hasBulkLane(object.name) ? read(BULK_WAIT) : Number.NaN;
      const bulkQueue = names.queue(object.name, "bulk");
      for (const index of listIn(object, ["spec", "triggers"]).keys()) {
        const at = ["spec", "triggers", index, "metadata"];
        const mayWaitS = textIn(object, [...at, "queueName"]) === bulkQueue ? bulkWaitS : waitS;
        const wanted = Math.round(rate * mayWaitS);
        const value = quantity(textIn(object, [...at, "value"]));
        if (!Number.isNaN(wanted) && value !== wanted)
          report(
            object.placeOf([...at, "value"]),
            `the value of ${object.name} is ${value}, and ${rate} jobs/s × ${mayWaitS} s is ${wanted}`,
            `write "${wanted}", or correct the annotations`,
          );
      }
    }
  },
};

export const SCALING_RULES: Rule[] = [
  timeoutsOrdered,
  explicitScaling,
  alwaysOn,
  queueDepth,
  fallbackCost,
  targetValue,
];
