/** Reads ScaledObjects from YAML files as KEDA 2.20 would: every default filled in, every refusal told. */
import {
  type Path,
  type Problem,
  readObjects,
  type SourceObject,
} from "../../kubernetes/read/documents.ts";
import { fillBehavior } from "../hpa/behavior.ts";
import { goBoolean, goInteger } from "./go-values.ts";
import { parseRabbitMqTrigger } from "./rabbitmq-trigger.ts";
import type { Behavior, RabbitMqTrigger, ScaledObject } from "./scaled-object.ts";
import { describeIssue, ScaledObjectSource, withoutNulls } from "./scaled-object-schema.ts";
import { type Credentials, resolveAuthentication } from "./trigger-authentication.ts";

export interface ReadScaledObjects {
  /** Those without any problem, in the order of the files. */
  scaledObjects: ScaledObject[];
  problems: Problem[];
}

/** Of the HPA, and of a label's value. */
const MAX_NAME_LENGTH = 63;
const HPA_PREFIX = "keda-hpa-";
const HPA_NAME: Path = ["spec", "advanced", "horizontalPodAutoscalerConfig", "name"];
const ANNOTATION = "autoscaling.keda.sh/";

/** @param files YAML with ScaledObjects and their TriggerAuthentications; other objects are passed over. */
export function readScaledObjects(
  files: readonly string[],
  credentials: Credentials,
): ReadScaledObjects {
  const read = files.map((file) => readObjects(file));
  return parseScaledObjects(
    read.flatMap(({ objects }) => objects),
    credentials,
    read.flatMap(({ problems }) => problems),
  );
}

/** The same for objects that are read already, whose problems it adds to. */
export function parseScaledObjects(
  objects: readonly SourceObject[],
  credentials: Credentials,
  problems: Problem[] = [],
): ReadScaledObjects {
  const scaledObjects: ScaledObject[] = [];
  const targets = new Map<string, string>();
  const hpas = new Map<string, string>();
  for (const object of objects.filter(({ kind }) => kind === "ScaledObject")) {
    const report = reporter(object, problems);
    const before = problems.length;
    const parsed = parseOne(object, objects, credentials, report);
    if (parsed) {
      const owner = targets.get(parsed.target);
      if (owner !== undefined)
        report(
          "keda-target",
          ["spec", "scaleTargetRef", "name"],
          `the Deployment ${parsed.target} is already managed by the ScaledObject ${owner}`,
          "scale each Deployment by one ScaledObject, which may have several triggers",
        );
      targets.set(parsed.target, parsed.name);
      const hpa = hpaNameOf(parsed.name, object.value.spec as ScaledObjectSource["spec"]);
      const other = hpas.get(hpa);
      if (other !== undefined)
        report(
          "keda-name",
          HPA_NAME,
          `the HPA ${hpa} is already that of the ScaledObject ${other}`,
          "give each ScaledObject's HPA a name of its own",
        );
      hpas.set(hpa, parsed.name);
      reportOwnHpa(parsed.target, hpa, objects, report);
    }
    if (parsed && problems.length === before) scaledObjects.push(parsed);
  }
  return { scaledObjects, problems };
}

/** As the webhook names it. */
const hpaNameOf = (name: string, spec: ScaledObjectSource["spec"]) =>
  ownHpaName(spec) || `${HPA_PREFIX}${name}`;

const ownHpaName = ({ advanced }: ScaledObjectSource["spec"]) =>
  advanced?.horizontalPodAutoscalerConfig?.name;

/** A Deployment that an HPA of somebody else scales too would be scaled by both. */
function reportOwnHpa(
  target: string,
  hpa: string,
  objects: readonly SourceObject[],
  report: Report,
): void {
  const own = objects.find(({ kind, name, value }) => {
    const reference = (value.spec as { scaleTargetRef?: { kind?: string; name?: string } })
      ?.scaleTargetRef;
    return (
      kind === "HorizontalPodAutoscaler" &&
      name !== hpa &&
      (reference?.kind ?? "Deployment") === "Deployment" &&
      reference?.name === target
    );
  });
  if (own !== undefined)
    report(
      "keda-target",
      ["spec", "scaleTargetRef", "name"],
      `the Deployment ${target} is already scaled by the HorizontalPodAutoscaler ${own.name}, and KEDA refuses it`,
      "remove that one: KEDA makes the HPA itself",
    );
}

type Report = (rule: string, path: Path, message: string, fix: string) => void;

const reporter =
  (object: SourceObject, problems: Problem[]): Report =>
  (rule, path, message, fix) =>
    problems.push({
      file: object.fileOf?.(path) ?? object.file,
      line: object.lineOf(path),
      rule,
      message,
      fix,
    });

function parseOne(
  object: SourceObject,
  objects: readonly SourceObject[],
  credentials: Credentials,
  report: Report,
): ScaledObject | undefined {
  if (object.apiVersion !== "keda.sh/v1alpha1")
    report(
      "keda-schema",
      ["apiVersion"],
      `apiVersion is "${object.apiVersion}": no ScaledObject of KEDA's`,
      "write apiVersion: keda.sh/v1alpha1",
    );
  const shape = ScaledObjectSource.safeParse(withoutNulls(object.value), { reportInput: true });
  if (!shape.success) {
    for (const issue of shape.error.issues) {
      const { message, fix } = describeIssue(issue);
      const key = issue.code === "unrecognized_keys" ? issue.keys.slice(0, 1) : [];
      report("keda-schema", [...(issue.path as Path), ...key], message, fix);
    }
    return undefined;
  }
  const { metadata, spec } = shape.data;
  checkSpec(shape.data, report);
  const triggers = spec.triggers.flatMap((_, index) =>
    parseTrigger(spec, index, objects, credentials, report),
  );
  const behavior = spec.advanced?.horizontalPodAutoscalerConfig?.behavior;
  return {
    name: metadata.name,
    target: spec.scaleTargetRef.name,
    pollingIntervalS: spec.pollingInterval,
    cooldownPeriodS: spec.cooldownPeriod,
    initialCooldownPeriodS: spec.initialCooldownPeriod,
    minReplicaCount: spec.minReplicaCount ?? 0,
    maxReplicaCount: spec.maxReplicaCount,
    ...(spec.idleReplicaCount !== undefined && { idleReplicaCount: spec.idleReplicaCount }),
    ...(spec.fallback && {
      fallback: {
        failureThreshold: spec.fallback.failureThreshold,
        replicas: spec.fallback.replicas,
      },
    }),
    ...(behavior && { behavior: fillBehavior(withoutUndefined(behavior)) satisfies Behavior }),
    triggers,
    ...readPauses(metadata.annotations, report),
    source: object,
  };
}

/** zod leaves no undefined members, though its types say that it may. */
const withoutUndefined = (value: unknown) => value as Parameters<typeof fillBehavior>[0];

/** What the admission webhook and the HPA refuse, and what KEDA knows and the tools don't. */
function checkSpec({ metadata, spec }: ScaledObjectSource, report: Report): void {
  const { minReplicaCount: min = 0, maxReplicaCount: max } = spec;
  const hpaName = hpaNameOf(metadata.name, spec);
  for (const [name, path] of [
    [metadata.name, ["metadata", "name"]],
    [hpaName, ownHpaName(spec) ? HPA_NAME : ["metadata", "name"]],
  ] as const)
    if (name.length > MAX_NAME_LENGTH)
      report(
        "keda-name",
        path as Path,
        `the ${name === metadata.name ? "name" : `HPA's name, ${name},`} has ${name.length} characters, and ${MAX_NAME_LENGTH} are allowed`,
        "shorten it",
      );
  if (min > max)
    report(
      "keda-replicas",
      ["spec", "minReplicaCount"],
      `minReplicaCount ${min} must not be greater than maxReplicaCount ${max}`,
      "lower minReplicaCount, or raise maxReplicaCount",
    );
  // The webhook takes a written 0 beside 0, and refuses it where the 0 is only the default.
  const isIdleAllowed = min > 0 || spec.minReplicaCount !== undefined;
  if (spec.idleReplicaCount !== undefined && !isIdleAllowed)
    report(
      "keda-replicas",
      ["spec", "idleReplicaCount"],
      `idleReplicaCount ${spec.idleReplicaCount} must be less than minReplicaCount ${min}`,
      "remove it: without work KEDA scales to minReplicaCount anyway",
    );
  const notModelled = (path: Path, what: string) =>
    report(
      "keda-not-modelled",
      path,
      `${what} is KEDA's, but not known to these tools`,
      "do without it",
    );
  const { kind, apiVersion } = spec.scaleTargetRef;
  if (kind !== "Deployment" || apiVersion !== "apps/v1")
    notModelled(["spec", "scaleTargetRef", "kind"], `scaling a ${apiVersion} ${kind}`);
  if (spec.fallback && spec.fallback.behavior !== "static")
    notModelled(["spec", "fallback", "behavior"], `fallback behavior ${spec.fallback.behavior}`);
  if (spec.advanced?.scalingModifiers)
    notModelled(["spec", "advanced", "scalingModifiers"], "scalingModifiers");
  checkTriggerNames(spec.triggers, report);
}

function checkTriggerNames(triggers: ScaledObjectSource["spec"]["triggers"], report: Report): void {
  const names = new Set<string>();
  for (const [index, { name }] of triggers.entries()) {
    if (name !== undefined && names.has(name))
      report(
        "keda-trigger",
        ["spec", "triggers", index, "name"],
        `the trigger name ${name} is there twice, and it must be unique`,
        "rename one of them",
      );
    if (name) names.add(name);
  }
}

/** One trigger, or none where it is reported. */
function parseTrigger(
  spec: ScaledObjectSource["spec"],
  index: number,
  objects: readonly SourceObject[],
  credentials: Credentials,
  report: Report,
): RabbitMqTrigger[] {
  const source = spec.triggers[index] as ScaledObjectSource["spec"]["triggers"][number];
  const path = ["spec", "triggers", index];
  const notModelled = (field: string, what: string) => {
    report(
      "keda-not-modelled",
      [...path, field],
      `${what} is KEDA's, but not known to these tools`,
      "do without it",
    );
    return [];
  };
  if (source.type !== "rabbitmq") return notModelled("type", `a trigger of type ${source.type}`);
  if (source.metricType === "Utilization") {
    report(
      "keda-trigger",
      [...path, "metricType"],
      "metricType Utilization is only for the cpu and memory triggers",
      "write AverageValue, or remove it",
    );
    return [];
  }
  if (source.metricType === "Value") return notModelled("metricType", "metricType Value");
  if (source.useCachedMetrics) return notModelled("useCachedMetrics", "useCachedMetrics");
  const resolved = resolveAuthentication(source.authenticationRef, objects, credentials);
  if (!("parameters" in resolved)) {
    report(resolved.rule, [...path, "authenticationRef", "name"], resolved.message, resolved.fix);
    return [];
  }
  const parsed = parseRabbitMqTrigger({
    metadata: source.metadata,
    authentication: resolved.parameters,
    environment: credentials.environment,
  });
  if ("trigger" in parsed)
    return [{ ...(source.name && { name: source.name }), ...parsed.trigger }];
  for (const { field, message, fix } of parsed.faults)
    report("keda-trigger", [...path, "metadata", ...(field ? [field] : [])], message, fix);
  return [];
}

/** Annotations are texts; one that is no boolean pauses, for who wrote it wanted something. */
function readPauses(annotations: Record<string, string>, report: Report) {
  const isTrue = (name: string) => {
    const text = annotations[`${ANNOTATION}${name}`];
    return text !== undefined && goBoolean(text) !== false;
  };
  const text = annotations[`${ANNOTATION}paused-replicas`];
  const replicas = text === undefined ? undefined : goInteger(text);
  if (text !== undefined && (replicas === undefined || replicas < 0))
    report(
      "keda-pause",
      ["metadata", "annotations", `${ANNOTATION}paused-replicas`],
      `paused-replicas is "${text}", and KEDA stops with an error: it must be a number of replicas`,
      "write a whole number, quoted",
    );
  return {
    paused: isTrue("paused"),
    ...(replicas !== undefined && { pausedReplicas: replicas }),
    pausedScaleIn: isTrue("paused-scale-in"),
    pausedScaleOut: isTrue("paused-scale-out"),
    forcedActive: annotations[`${ANNOTATION}force-activation`]?.toLowerCase() === "true",
  };
}
