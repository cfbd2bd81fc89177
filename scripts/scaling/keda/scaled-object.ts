/** A ScaledObject as KEDA understands it: every field with its default filled in. */
import type { SourceObject } from "../../kubernetes/read/documents.ts";

/** What a policy allows within its period. https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#scaling-policies */
export interface ScalingPolicy {
  type: "Pods" | "Percent";
  value: number;
  periodSeconds: number;
}

export interface ScalingRules {
  stabilizationWindowSeconds: number;
  selectPolicy: "Max" | "Min" | "Disabled";
  policies: ScalingPolicy[];
  /** A change below this share of the target is none. Default: 0.1, the cluster's. */
  tolerance?: number | undefined;
}

/** `spec.advanced.horizontalPodAutoscalerConfig.behavior`, with the defaults filled in. */
export interface Behavior {
  scaleUp: ScalingRules;
  scaleDown: ScalingRules;
}

export type RabbitMqMode =
  | "QueueLength"
  | "MessageRate"
  | "DeliverGetRate"
  | "PublishedToDeliveredRatio"
  | "ExpectedQueueConsumptionTime";

/** A `rabbitmq` trigger after KEDA's look-ups: metadata, then authentication, then environment. */
export interface RabbitMqTrigger {
  name?: string;
  queueName: string;
  mode: RabbitMqMode;
  /** Target per replica (AverageValue). */
  value: number;
  /** Active when the figure is strictly greater. */
  activationValue: number;
  protocol: "http" | "amqp";
  /** With the credentials in it, where they come in the URL. Never shown to anyone. */
  host: string;
  vhostName?: string;
  username?: string;
  password?: string;
  useRegex: boolean;
  operation: "sum" | "avg" | "max";
  pageSize: number;
  excludeUnacknowledged: boolean;
  timeoutMs: number;
  /** The server's certificate is not checked. */
  unsafeSsl: boolean;
  /** With `tls: enable`; PEM texts. */
  tls?: { ca?: string; cert?: string; key?: string; keyPassword?: string };
}

/** https://keda.sh/docs/2.20/reference/scaledobject-spec/ */
export interface ScaledObject {
  name: string;
  /** Deployment that it scales, `spec.scaleTargetRef.name`. */
  target: string;
  pollingIntervalS: number;
  cooldownPeriodS: number;
  initialCooldownPeriodS: number;
  minReplicaCount: number;
  maxReplicaCount: number;
  /** 0: without work there are none, although `minReplicaCount` is at least 1. */
  idleReplicaCount?: 0;
  /** Undefined: the replicas stay as they are while a trigger errs. */
  fallback?: { failureThreshold: number; replicas: number };
  /** Undefined: the HPA's own rules without `behavior`. */
  behavior?: Behavior;
  triggers: RabbitMqTrigger[];
  /** Annotations `autoscaling.keda.sh/…`. */
  paused: boolean;
  pausedReplicas?: number;
  pausedScaleIn: boolean;
  pausedScaleOut: boolean;
  /** Keeps it awake whatever its triggers say. */
  forcedActive: boolean;
  /** Where it stands. */
  source: SourceObject;
}
