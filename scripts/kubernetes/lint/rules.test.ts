/** Each rule, broken once in the real manifests: the linter tells it with the right file and line. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { INTERNET } from "../../../shared/outbound/forbidden-ranges.ts";
import { REPOSITORY } from "../../repository.ts";
import { loadWorkers } from "../../workers.ts";
import { compose } from "../kustomize/compose.ts";
import { filesOf, repositoryFiles } from "../kustomize/files.ts";
import { valueAt } from "../read/value-at.ts";
import { lintManifests } from "./lint.ts";
import { READER_RULES, RULES } from "./rules.ts";
import type { Engine } from "./world.ts";

const real = repositoryFiles();
const engines: Engine[] = (await loadWorkers()).map(({ definition }) => definition);

interface Mutation {
  rule: string;
  file: string;
  /** Text or pattern that must be there, and what is put in its place; undefined: the file is new. */
  from?: string | RegExp;
  to: string;
  /** On the line that is told, after the change. */
  line: RegExp | number;
  /** Where it is told, if not in the changed file. */
  toldIn?: string;
  message?: RegExp;
  engines?: readonly Engine[];
}

const SCALER = "keda/activities.yaml";
const ENGINE = "manifests/base/engines/activities/kustomization.yaml";
const WORKER = "manifests/base/worker/deployment.yaml";
const BUDGET = "manifests/base/worker/poddisruptionbudget.yaml";
const EGRESS = "manifests/base/worker/networkpolicy.yaml";
const DEV = "manifests/overlays/dev/kustomization.yaml";
const STAGING = "manifests/overlays/staging/kustomization.yaml";
const TARGET = "manifests/overlays/dev/target.yaml";
const VARIABLES = "manifests/base/worker.env";
const TEMPLATE = "manifests/addons/secrets.template.yaml";
const EXTERNAL_SECRET = "manifests/addons/external-secrets/activities.yaml";
const POLICIES = "manifests/base/networkpolicy.yaml";
/** An engine's resources, and the component after them. */
const resourcesAnd = (component: string) =>
  `resources:\n  - ../../worker\ncomponents:\n  - ${component}\n`;
const RESOURCES = "resources:\n  - ../../worker\n";
const BASE = "manifests/base/kustomization.yaml";
/** Off, and looked at all the same. */
const HOSTS = "manifests/overlays/dev/egress-by-host/kustomization.yaml";
const SERVICES = "manifests/addons/egress-by-host/services.yaml";
const TRIED = "manifests/addons/try-services/postgres.yaml";

const MUTATIONS: Mutation[] = [
  // What the readers refuse.
  { rule: "yaml", file: SCALER, from: "spec:\n", to: "spec:\nspec:\n", line: /^spec:/ },
  {
    rule: "kustomization",
    file: BASE,
    from: "resources:\n",
    to: "namePrefix: x-\nresources:\n",
    line: /namePrefix/,
  },
  {
    rule: "kustomization",
    file: BASE,
    from: "- podmonitor.yaml",
    to: "- podmonitors.yaml",
    line: /podmonitors/,
  },
  { rule: "schema", file: WORKER, from: "maxSurge: 1", to: "maxSurge: true", line: /maxSurge/ },
  {
    rule: "schema",
    file: WORKER,
    from: "revisionHistoryLimit: 3",
    to: 'revisionHistoryLimit: "3"',
    line: /revisionHistoryLimit/,
  },
  {
    rule: "unknown-field",
    file: WORKER,
    from: "readinessProbe:",
    to: "readynessProbe:",
    line: /readynessProbe/,
  },
  {
    rule: "unknown-field",
    file: "manifests/base/podmonitor.yaml",
    from: "scrapeTimeout",
    to: "scrapeTimeOut",
    line: /scrapeTimeOut/,
  },
  {
    rule: "unknown-field",
    file: TEMPLATE,
    from: "stringData",
    to: "stringDate",
    line: /stringDate/,
  },
  {
    rule: "unknown-kind",
    file: "manifests/base/limitrange.yaml",
    from: "LimitRange",
    to: "LimitsRange",
    line: /^apiVersion/,
  },
  {
    rule: "unused-file",
    file: "manifests/base/forgotten.yaml",
    to: "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n",
    line: 1,
  },
  {
    rule: "target-file",
    file: TARGET,
    from: /postgresConnections: \d+/,
    to: "postgresConnections: many",
    line: /many/,
  },
  {
    rule: "target-file",
    file: TARGET,
    from: "amqpConnections",
    to: "amqpConnection",
    line: /amqpConnection:/,
  },

  // KEDA's own rules, whose details the reader's tests have.
  {
    rule: "keda-schema",
    file: SCALER,
    from: /(?<=\n {2})maxReplicaCount: 3/,
    to: "maxReplicaCount: three",
    line: /three/,
  },
  {
    rule: "keda-name",
    file: SCALER,
    from: "  name: activities\n",
    to: `  name: ${"a".repeat(55)}\n`,
    line: /aaaa/,
  },
  {
    rule: "keda-replicas",
    file: SCALER,
    from: "minReplicaCount: 0",
    to: "minReplicaCount: 4",
    line: /minReplicaCount/,
  },
  {
    rule: "keda-target",
    file: "keda/analytics.yaml",
    from: "    name: analytics\n",
    to: "    name: activities\n",
    line: /^ {4}name: activities/,
  },
  { rule: "keda-trigger", file: SCALER, from: 'value: "8000"', to: 'value: "many"', line: /many/ },
  {
    rule: "keda-authentication",
    file: SCALER,
    from: "name: tl-engine-broker",
    to: "name: broker",
    line: /name: broker/,
  },
  {
    rule: "keda-pause",
    file: SCALER,
    from: "  annotations:\n",
    to: '  annotations:\n    autoscaling.keda.sh/paused-replicas: "many"\n',
    line: /many/,
  },
  {
    rule: "keda-not-modelled",
    file: SCALER,
    from: "type: rabbitmq",
    to: "type: cron",
    line: /cron/,
  },

  // Engines.
  {
    rule: "engine-parts",
    file: "keda/kustomization.yaml",
    from: "  - burials.yaml\n",
    to: "",
    line: 1,
    toldIn: DEV,
    message: /burials has no ScaledObject/,
  },
  {
    rule: "engine-parts",
    file: WORKER,
    from: "        app.kubernetes.io/component: worker\n    spec",
    to: "    spec",
    line: /^ {6}labels:/,
    message: /PodMonitor/,
  },
  {
    rule: "engine-parts",
    file: EGRESS,
    from: /podSelector:\n {4}matchLabels:\n {6}app.kubernetes.io\/name: worker/,
    to: "podSelector:\n    matchLabels:\n      app: worker",
    line: /podSelector/,
  },
  {
    rule: "engine-parts",
    file: DEV,
    from: "",
    to: "",
    line: 1,
    message: /mentions has no Deployment/,
    engines: [...engines, { name: "mentions", timeoutMs: 1_000, concurrency: 1, actions: {} }],
  },
  {
    rule: "engine-names",
    file: ENGINE,
    from: "value: activities\n    options",
    to: "value: activites\n    options",
    line: /activites/,
  },
  {
    rule: "engine-names",
    file: ENGINE,
    from: "tl-engine-activities",
    to: "tl-engine-analytics",
    line: /newTag/,
    toldIn: DEV,
    message: /runs the image tl-engine-analytics/,
  },
  {
    rule: "engine-names",
    file: SCALER,
    from: "app.kubernetes.io/name: activities",
    to: "app.kubernetes.io/name: analytics",
    line: /name: analytics/,
  },
  {
    rule: "queue-name",
    file: SCALER,
    from: "queueName: engine.activities",
    to: "queueName: engine.activites",
    line: /queueName/,
  },
  {
    rule: "queue-name",
    file: SCALER,
    from: "queueName: engine.activities.bulk",
    to: "queueName: engine.activities",
    line: /queueName: engine.activities$/,
  },
  {
    rule: "target-value",
    file: SCALER,
    from: 'value: "96000"',
    to: 'value: "8000"',
    line: /value: "8000"/,
  },
  {
    rule: "target-value",
    file: SCALER,
    from: 'tl-engine/bulk-target-wait-seconds: "60"',
    to: "",
    line: /annotations|metadata/,
  },
  {
    rule: "queue-name",
    file: VARIABLES,
    from: "ENGINE_PREFIX=engine",
    to: "ENGINE_PREFIX=other",
    line: /queueName/,
    toldIn: SCALER,
  },
  {
    rule: "namespace",
    file: STAGING,
    from: "namespace: tl-engine-staging",
    to: "namespace: tl-engine-dev",
    line: /namespace/,
  },
  {
    rule: "namespace",
    file: SCALER,
    from: "namespace: tl-engine-dev",
    to: "namespace: default",
    line: /default/,
  },
  {
    rule: "common-labels",
    file: DEV,
    from: "      app.kubernetes.io/managed-by: kustomize\n",
    to: "",
    line: /labels/,
    toldIn: WORKER,
    message: /managed-by/,
  },
  {
    rule: "common-labels",
    file: DEV,
    from: "version: 0.1.0",
    to: "version: 0.0.9",
    line: /0\.0\.9/,
  },
  {
    rule: "common-labels",
    file: DEV,
    from: "instance: tl-engine-dev",
    to: "instance: tl-engine-staging",
    line: /instance/,
  },
  {
    rule: "common-labels",
    file: DEV,
    from: "    includeTemplates: true\n",
    to: "",
    line: /labels/,
    toldIn: WORKER,
    message: /pods of Deployment activities/,
  },
  {
    rule: "common-labels",
    file: WORKER,
    from: /(?<=selector:\n {4}matchLabels:\n)/,
    to: "      app.kubernetes.io/version: 0.1.0\n",
    line: /version/,
    message: /never/,
  },
  {
    rule: "object-name",
    file: "manifests/base/networkpolicy.yaml",
    from: "name: metrics",
    to: "name: Metrics_",
    line: /Metrics_/,
  },
  {
    rule: "object-name",
    file: SCALER,
    from: "app.kubernetes.io/part-of: tl-engine",
    to: 'app.kubernetes.io/part-of: "tl engine"',
    line: /tl engine/,
  },
  {
    rule: "limit-range",
    file: "manifests/base/limitrange.yaml",
    from: "cpu: 500m",
    to: "cpu: 3",
    line: /cpu: 3/,
  },
  {
    rule: "kustomization",
    file: BASE,
    from: "- engines\n",
    to: "- engines\n  - ../overlays/dev\n",
    line: /apiVersion/,
    toldIn: DEV,
  },
  {
    rule: "kustomization",
    file: DEV,
    from: "      kind: ExternalSecret",
    to: "      kind: '('",
    line: /'\('/,
  },
  {
    rule: "yaml",
    file: SCALER,
    from: "policies:",
    to: "policies: &a [*a]\n          list:",
    line: /apiVersion/,
  },
  {
    rule: "environment-name",
    file: STAGING,
    from: "ENGINE_ENV=staging",
    to: "ENGINE_ENV=dev",
    line: /ENGINE_ENV/,
  },
  {
    rule: "deployment-replicas",
    file: WORKER,
    from: "  revisionHistoryLimit",
    to: "  replicas: 1\n  revisionHistoryLimit",
    line: /replicas/,
  },
  {
    rule: "argo-replicas",
    file: "manifests/addons/argocd/dev.yaml",
    from: "- /spec/replicas",
    to: "- /spec/paused",
    line: /ignoreDifferences/,
  },
  {
    rule: "argo-replicas",
    file: "manifests/addons/argocd/staging.yaml",
    from: "- RespectIgnoreDifferences=true",
    to: "- RespectIgnoreDifferences=false",
    line: /syncOptions/,
  },
  {
    rule: "argo-replicas",
    file: "manifests/addons/argocd/staging.yaml",
    from: "path: manifests/overlays/staging",
    to: "path: manifests/overlays/dev",
    line: /namespace: tl-engine-staging/,
  },

  // Scaling.
  {
    rule: "timeouts-ordered",
    file: WORKER,
    from: "terminationGracePeriodSeconds: 30",
    to: "terminationGracePeriodSeconds: 15",
    line: /: 15/,
  },
  {
    rule: "timeouts-ordered",
    file: WORKER,
    from: "terminationGracePeriodSeconds: 30",
    to: "terminationGracePeriodSeconds: 3600",
    line: /: 3600/,
  },
  {
    rule: "timeouts-ordered",
    file: WORKER,
    from: "",
    to: "",
    line: /terminationGracePeriodSeconds/,
    engines: engines.map((engine) =>
      engine.name === "activities" ? { ...engine, timeoutMs: 25_000 } : engine,
    ),
  },
  {
    rule: "explicit-scaling",
    file: SCALER,
    from: /\n {2}maxReplicaCount: \d+/,
    to: "",
    line: /^spec/,
  },
  {
    rule: "explicit-scaling",
    file: SCALER,
    from: /\n {2}cooldownPeriod: \d+/,
    to: "",
    line: /^spec/,
  },
  {
    rule: "queue-depth",
    file: SCALER,
    from: "protocol: http",
    to: "protocol: amqp",
    line: /protocol: amqp/,
  },
  {
    rule: "queue-depth",
    file: SCALER,
    from: 'excludeUnacknowledged: "false"',
    to: 'excludeUnacknowledged: "true"',
    line: /excludeUnacknowledged/,
  },
  {
    rule: "fallback-cost",
    file: SCALER,
    from: "  advanced:\n",
    to: "\n  fallback:\n    failureThreshold: 3\n    replicas: 2\n  advanced:\n",
    line: /fallback:/,
  },
  { rule: "target-value", file: SCALER, from: 'value: "8000"', to: 'value: "80"', line: /"80"/ },
  {
    rule: "target-value",
    file: SCALER,
    from: /\n {4}tl-engine\/target-wait-seconds: "\d+"/,
    to: "",
    line: /annotations/,
  },

  // Capacity.
  {
    rule: "worst-case-quota",
    file: "keda/analytics.yaml",
    from: /(?<=\n {2})maxReplicaCount: 3/,
    to: "maxReplicaCount: 9",
    line: /requests.cpu/,
    toldIn: "manifests/base/resourcequota.yaml",
  },
  {
    rule: "worst-case-quota",
    file: "manifests/base/resourcequota.yaml",
    from: /requests.memory: \w+/,
    to: "requests.memory: 2Gi",
    line: /requests.memory/,
  },
  {
    rule: "worst-case-quota",
    file: "manifests/base/resourcequota.yaml",
    from: /\n {4}limits.cpu: "\d+"/,
    to: "",
    line: /hard/,
  },
  {
    rule: "postgres-connections",
    file: VARIABLES,
    from: "HEALTH_PORT=9090",
    to: "HEALTH_PORT=9090\nDATABASE_POOL_MAX=20",
    line: /postgresConnections/,
    toldIn: TARGET,
  },
  {
    rule: "amqp-connections",
    file: TARGET,
    from: /amqpConnections: \d+/,
    to: "amqpConnections: 20",
    line: /amqpConnections/,
  },
  {
    rule: "unacked-messages",
    file: TARGET,
    from: /unackedMessagesPerConnection: \d+/,
    to: "unackedMessagesPerConnection: 50",
    line: /unacked/,
  },
  { rule: "limit-range", file: WORKER, from: "memory: 512Mi", to: "memory: 2Gi", line: /2Gi/ },

  // Pods.
  { rule: "image-pinned", file: DEV, from: "newTag: 0.1.0", to: "newTag: latest", line: /latest/ },
  {
    rule: "image-pinned",
    file: DEV,
    from: /\n {2}- name: \S+burials\n {4}newTag: \S+/,
    to: "",
    line: /newName:/,
    toldIn: "manifests/base/engines/burials/kustomization.yaml",
  },
  {
    rule: "image-digest",
    file: DEV,
    from: "newTag: 0.1.0",
    to: "newTag: 0.1.0\n    digest: sha256:1234",
    line: /newTag/,
  },
  {
    rule: "pull-policy",
    file: DEV,
    from: "  - ../../addons/unpinned-images\n",
    to: "",
    line: /imagePullPolicy/,
    toldIn: WORKER,
    message: /activities runs a tag without a digest/,
  },
  {
    rule: "pull-policy",
    file: DEV,
    from: "newTag: 0.1.0",
    to: `newTag: 0.1.0\n    digest: sha256:${"a".repeat(64)}`,
    line: /value: Always/,
    toldIn: "manifests/addons/unpinned-images/kustomization.yaml",
    message: /topology of Job tl-engine-setup runs a digest/,
  },
  {
    rule: "pull-policy",
    file: WORKER,
    from: /\n.*\n.*imagePullPolicy.*/,
    to: "",
    line: /name: worker/,
    message: /Kubernetes' choice/,
  },

  // What an engine has of its own.
  {
    rule: "engine-differences",
    file: ENGINE,
    from: "images:\n",
    to: "commonAnnotations: {}\nimages:\n",
    line: /commonAnnotations/,
  },
  {
    rule: "engine-differences",
    file: ENGINE,
    from: "  - ../../worker\n",
    to: "  - ../../worker\n  - ../analytics\n",
    line: /resources/,
  },
  {
    rule: "engine-differences",
    file: ENGINE,
    from: /$/,
    to: "      - op: replace\n        path: /spec/revisionHistoryLimit\n        value: 5\n",
    line: /- op: replace/,
    message: /the same for all/,
  },
  {
    rule: "engine-differences",
    file: ENGINE,
    from: /$/,
    to: "      - op: replace\n        path: /spec/template/spec/containers/0/resources/limits/cpu\n        value: 500m\n",
    line: /- op: replace/,
    message: /has, too/,
  },
  {
    rule: "engine-differences",
    file: ENGINE,
    from: /- op: replace\n.*secretRef[\s\S]*/,
    to: "spec:\n        progressDeadlineSeconds: 5\n",
    line: /patch: /,
    message: /no list of operations/,
  },

  {
    rule: "probes",
    file: WORKER,
    from: "startupProbe:\n            httpGet:",
    to: "lifecycle: {}\n          livenessProbes:\n            httpGet:",
    line: /name: worker/,
  },
  {
    rule: "probes",
    file: WORKER,
    from: "path: /readyz\n              port: internal",
    to: "path: /readyz\n              port: metrics",
    line: /port: metrics/,
  },
  {
    rule: "resources",
    file: "manifests/base/cronjob.yaml",
    from: /\n {18}memory: 512Mi/,
    to: "",
    line: /limits/,
  },
  {
    rule: "ephemeral-storage",
    file: WORKER,
    from: /(?<=limits:\n.*\n.*\n) {14}ephemeral-storage: .*\n/,
    to: "",
    line: /limits/,
  },
  {
    rule: "ephemeral-storage",
    file: "manifests/base/job.yaml",
    from: /ephemeral-storage: .*/,
    to: "ephemeral-storage: 9Gi",
    line: /9Gi/,
    message: /more than it may use/,
  },
  {
    rule: "ephemeral-storage",
    file: "manifests/base/limitrange.yaml",
    from: /(?<=max:\n.*\n.*\n) {8}ephemeral-storage: .*\n/,
    to: "",
    line: /max/,
  },
  {
    rule: "pod-security-restricted",
    file: WORKER,
    from: "runAsNonRoot: true",
    to: "runAsNonRoot: false",
    line: /runAsNonRoot/,
  },
  {
    rule: "pod-security-restricted",
    file: WORKER,
    from: "drop: [ALL]",
    to: "drop: [NET_RAW]",
    line: /capabilities/,
  },
  {
    rule: "pod-security-restricted",
    file: WORKER,
    from: "allowPrivilegeEscalation: false",
    to: "allowPrivilegeEscalation: true",
    line: /allowPrivilegeEscalation/,
  },
  {
    rule: "read-only-root",
    file: "manifests/base/job.yaml",
    from: "readOnlyRootFilesystem: true",
    to: "readOnlyRootFilesystem: false",
    line: /: false/,
  },
  {
    rule: "no-token",
    file: WORKER,
    from: /\n {6}automountServiceAccountToken: false/,
    to: "",
    line: /^ {4}spec:/,
  },
  {
    rule: "no-token",
    file: "manifests/base/serviceaccount.yaml",
    from: "Token: false",
    to: "Token: true",
    line: /Token: true/,
  },
  {
    rule: "disruption-budget",
    file: BUDGET,
    from: "maxUnavailable: 1\n  selector",
    to: "minAvailable: 1\n  selector",
    line: /minAvailable/,
  },
  {
    rule: "internal-port",
    file: VARIABLES,
    from: "HEALTH_PORT=9090",
    to: "HEALTH_PORT=9091",
    line: /containerPort/,
    toldIn: WORKER,
  },
  {
    rule: "internal-port",
    file: "manifests/base/podmonitor.yaml",
    from: "port: internal",
    to: "port: metrics",
    line: /port: metrics/,
  },
  {
    rule: "internal-port",
    file: "manifests/base/networkpolicy.yaml",
    from: "port: 9090",
    to: "port: 8080",
    line: /8080/,
  },
  {
    rule: "network-dns",
    file: POLICIES,
    from: /\n {10}podSelector:\n {12}matchLabels:\n {14}k8s-app: kube-dns/,
    to: "",
    line: /namespaceSelector/,
    message: /dns reaches others than the cluster's DNS/,
  },
  {
    rule: "network-dns",
    file: POLICIES,
    from: "        - port: 53\n          protocol: TCP\n",
    to: "        - port: 853\n          protocol: TCP\n",
    line: /853/,
  },
  {
    rule: "network-dns",
    file: EGRESS,
    from: "- port: 5432\n",
    to: "- port: 53\n",
    line: /ipBlock/,
    message: /activities reaches others/,
  },
  {
    rule: "network-metrics",
    file: POLICIES,
    from: /\n {10}podSelector:\n {12}matchLabels:\n {14}app.kubernetes.io\/name: prometheus/,
    to: "",
    line: /namespaceSelector/,
  },
  {
    rule: "network-metrics",
    file: POLICIES,
    from: / {4}- from:\n[\s\S]*?(?= {6}ports:)/,
    to: "    - from: []\n",
    line: /from/,
    message: /anyone/,
  },
  {
    rule: "network-metrics",
    file: POLICIES,
    from: /\n {6}ports:\n {8}- port: 9090\n {10}protocol: TCP/,
    to: "",
    line: /from/,
    message: /every port/,
  },
  {
    rule: "network-egress-ports",
    file: EGRESS,
    from: "- port: 5432\n",
    to: "- port: 22\n",
    line: /22/,
  },
  {
    rule: "network-egress-ports",
    file: EGRESS,
    from: "- port: 5432\n",
    to: "- port: 443\n",
    line: /443/,
    message: /anywhere/,
  },
  {
    rule: "network-egress-ports",
    file: EGRESS,
    from: "- port: 5432\n",
    to: "- port: 5432\n          endPort: 6000\n",
    line: /6000/,
  },
  {
    rule: "network-egress-ports",
    file: EGRESS,
    from: /\n {6}ports:\n {8}- port: 5432\n {10}protocol: TCP/,
    to: "",
    line: /- to/,
    message: /every port/,
  },
  {
    rule: "network-egress-ports",
    file: "manifests/base/job.yaml",
    from: "            except: [169.254.0.0/16]\n",
    to: "",
    line: /cidr/,
    message: /link-local/,
  },
  {
    rule: "network-hosts",
    file: HOSTS,
    from: '- matchPattern: "*.upstash.io"',
    to: '- matchPattern: "*"',
    line: /"\*"/,
    message: /everybody's/,
  },
  {
    rule: "network-hosts",
    file: HOSTS,
    from: '- matchPattern: "*.upstash.io"',
    to: '- matchPattern: "*.io"',
    line: /"\*\.io"/,
    message: /everybody's/,
  },
  {
    rule: "network-hosts",
    file: HOSTS,
    from: / {2}- target:\n.*\n {6}name: redis[\s\S]*/,
    to: "",
    line: /toFQDNs/,
    toldIn: SERVICES,
    message: /redis names no host/,
  },
  {
    rule: "network-hosts",
    file: SERVICES,
    from: 'port: "5671"',
    to: 'port: "443"',
    line: /443/,
  },
  {
    rule: "network-hosts",
    file: SERVICES,
    from: / {6}toPorts:\n.*\n.*5671[\s\S]*?(?=---)/,
    to: "",
    line: /toFQDNs/,
    message: /every port/,
  },
  {
    rule: "network-hosts",
    file: EGRESS,
    from: "    app.kubernetes.io/component: egress\n",
    to: "",
    line: /- to/,
    message: /beside the hosts/,
  },
  {
    rule: "network-hosts",
    file: POLICIES,
    from: "tl-engine/outbound-https: open\n",
    to: "app.kubernetes.io/name: activities\n",
    line: /- to/,
    message: /outbound-https reaches every address beside the hosts/,
  },
  // The door to the internet.
  {
    rule: "network-egress-ports",
    file: POLICIES,
    from: "tl-engine/outbound-https: open\n",
    to: "app.kubernetes.io/name: activities\n",
    line: /443/,
    message: /anywhere/,
  },
  {
    rule: "network-egress-ports",
    file: POLICIES,
    from: /tl-engine\/outbound-http: open\n([\s\S]*?) {4}- to:\n[\s\S]*?(?= {8}- ipBlock:\n {12}# All)/,
    to: "app.kubernetes.io/name: activities\n$1    - to:\n",
    line: /80/,
    message: /opens 80 of other servers/,
  },
  {
    rule: "network-outbound",
    file: POLICIES,
    from: "              - 168.63.129.16/32\n",
    to: "",
    line: /except/,
    message: /outbound-https and the guard differ: 168.63.129.16\/32 is open/,
  },
  {
    rule: "network-outbound",
    file: POLICIES,
    from: "              - 2002::/16\n",
    to: "              - 2002::/16\n              - 2606:4700::/32\n",
    line: /except/,
    message: /2606:4700::\/32 is shut/,
  },
  {
    rule: "network-outbound",
    file: POLICIES,
    from: "cidr: 2000::/3",
    to: "cidr: ::/0",
    line: /::\/0/,
  },
  {
    rule: "network-outbound",
    file: POLICIES,
    from: "      ports:\n        - port: 443\n",
    to: "        - ipBlock:\n            cidr: 10.0.0.0/8\n      ports:\n        - port: 443\n",
    line: /ipBlock/,
    message: /more than the internet/,
  },
  {
    rule: "network-outbound",
    file: POLICIES,
    from: "        - port: 443\n",
    to: "        - port: 443\n          protocol: TCP\n        - port: 22\n",
    line: /22/,
  },
  {
    rule: "network-outbound",
    file: POLICIES,
    from: "        - port: 587\n",
    to: "        - port: 25\n",
    line: /25/,
    message: /opens 25/,
  },
  {
    rule: "network-outbound",
    file: POLICIES,
    from: /tl-engine\/outbound-smtp: open\n([\s\S]*?) {14}- 10\.0\.0\.0\/8\n/,
    to: "tl-engine/outbound-smtp: open\n$1",
    line: /except/,
    message: /outbound-smtp and the guard differ: 10.0.0.0\/8 is open/,
  },
  {
    rule: "network-outbound",
    file: WORKER,
    from: /(template:[\s\S]*?)app.kubernetes.io\/name: worker\n/,
    to: "$1app.kubernetes.io/name: worker\n        tl-engine/outbound-https: maybe\n",
    line: /maybe/,
    message: /no NetworkPolicy opens/,
  },
  {
    rule: "network-outbound",
    file: "manifests/base/job.yaml",
    from: /(template:[\s\S]*?)labels:\n/,
    to: "$1labels:\n        tl-engine/outbound-https: open\n",
    line: /outbound-https/,
    message: /is no engine/,
  },
  {
    rule: "network-outbound",
    file: ENGINE,
    from: RESOURCES,
    to: resourcesAnd("../../outbound/http"),
    line: /outbound-http/,
    toldIn: "manifests/base/outbound/http/kustomization.yaml",
    message: /http and not https/,
  },
  {
    rule: "engine-differences",
    file: ENGINE,
    from: RESOURCES,
    to: resourcesAnd("../../../addons/try-services"),
    line: /try-services/,
    message: /not for engines/,
  },
  {
    rule: "unknown-field",
    file: SERVICES,
    from: "endpointSelector:",
    to: "endpointsSelector:",
    line: /endpointsSelector/,
  },
  {
    rule: "default-deny",
    file: "manifests/base/networkpolicy.yaml",
    from: "    - Ingress\n    - Egress",
    to: "    - Ingress",
    line: /^spec/,
  },
  {
    rule: "namespace-security",
    file: "manifests/base/namespace.yaml",
    from: "enforce: restricted",
    to: "enforce: baseline",
    line: /baseline/,
  },

  // Configuration.
  {
    rule: "config-keys",
    file: VARIABLES,
    from: "LOG_LEVEL=info",
    to: "LOG_LEVLE=info",
    line: /LOG_LEVLE/,
    message: /LOG_LEVLE/,
  },
  {
    rule: "config-keys",
    file: VARIABLES,
    from: "LOG_LEVEL=info",
    to: "LOG_LEVEL=loud",
    line: /loud/,
  },
  {
    rule: "config-keys",
    file: VARIABLES,
    from: "LOG_LEVEL=info",
    to: "LOG_LEVEL=info\nANALYTICS_RETENTION_MONTHS=two",
    line: /two/,
    message: /ANALYTICS_RETENTION_MONTHS: /,
  },
  {
    rule: "config-keys",
    file: WORKER,
    from: "name: WORKER_ID",
    to: "name: WORKERID",
    line: /WORKERID/,
  },
  {
    rule: "required-variables",
    file: TEMPLATE,
    from: "REDIS_URL",
    to: "REDIS_URI",
    line: /envFrom/,
    toldIn: WORKER,
  },
  {
    rule: "references",
    file: WORKER,
    from: "serviceAccountName: tl-engine",
    to: "serviceAccountName: other",
    line: /other/,
  },
  {
    rule: "references",
    file: ENGINE,
    from: "secretRef/name\n        value: activities",
    to: "secretRef/name\n        value: activites",
    line: /activites/,
  },
  {
    rule: "references",
    file: WORKER,
    from: "priorityClassName: tl-engine",
    to: "priorityClassName: urgent",
    line: /urgent/,
  },
  {
    rule: "references",
    file: "keda/trigger-authentication.yaml",
    from: "key: vhostName",
    to: "key: vhost",
    line: /key: vhost/,
  },
  {
    rule: "secret-in-git",
    file: TEMPLATE,
    from: "password: KEDA_PASSWORD",
    to: "password: hunter2",
    line: /hunter2/,
  },
  {
    rule: "secret-in-git",
    file: VARIABLES,
    from: "LOG_LEVEL=info",
    to: "LOG_LEVEL=info\nREDIS_URL=redis://a/0",
    line: /REDIS_URL/,
  },
  {
    rule: "secret-in-git",
    file: "keda/trigger-authentication.yaml",
    from: "https://broker.example.com",
    to: "https://user:hunter2@broker.example.com",
    line: /hunter2/,
  },
  {
    rule: "secret-in-git",
    file: SCALER,
    from: "apiVersion: keda",
    to: "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n---\napiVersion: keda",
    line: /^apiVersion: v1/,
  },
  {
    rule: "secret-keys",
    file: EXTERNAL_SECRET,
    from: / {2}data:[\s\S]*/,
    to: "  dataFrom:\n    - extract:\n        key: tl-engine-activities\n",
    line: /dataFrom/,
    message: /whatever keys/,
  },
  {
    rule: "secret-keys",
    file: EXTERNAL_SECRET,
    from: "secretKey: REDIS_URL",
    to: "secretKey: NODE_OPTIONS",
    line: /NODE_OPTIONS/,
  },
  {
    rule: "secret-keys",
    file: EXTERNAL_SECRET,
    from: "secretKey: REDIS_URL",
    to: "secretKey: NODE_OPTIONS",
    line: /^ {2}data:/,
    message: /leaves out REDIS_URL/,
  },
  {
    rule: "only-for-tries",
    file: STAGING,
    from: "  - ../../base\n",
    to: "  - ../../base\n  - ../../addons/try-services\n",
    line: /^apiVersion: apps/,
    toldIn: "manifests/addons/try-services/redis.yaml",
    message: /Deployment redis is for tries, and the overlay staging has it/,
  },
  {
    rule: "only-for-tries",
    file: "manifests/overlays/staging/target.yaml",
    from: "kubeContexts:",
    to: "allowsTries: true\nkubeContexts:",
    line: /allowsTries/,
  },
  // The servers of a try.
  {
    rule: "pod-security-restricted",
    file: TRIED,
    from: "runAsNonRoot: true",
    to: "runAsNonRoot: false",
    line: /runAsNonRoot/,
  },
  {
    rule: "secret-in-git",
    file: TRIED,
    from: "value: engine\n",
    to: "value: postgres://engine:hunter2@postgres/enginedb\n",
    line: /hunter2/,
  },
];

test("the manifests are clean", async () => {
  const { problems, objects } = await lintManifests(real, engines);
  expect(problems).toEqual([]);
  expect(objects).toBeGreaterThan(30);
});

describe.each(MUTATIONS)("$rule: $file, $to", (mutation) => {
  const { rule, file, from, to, line, message = /./ } = mutation;

  test("is told where it stands", async () => {
    const texts = new Map(real.paths.map((path) => [path, real.read(path) ?? ""]));
    const before = texts.get(file) ?? "";
    const after = from === undefined ? to : before.replace(from, to);
    if (from !== "") expect(after).not.toBe(before);
    texts.set(file, after);
    const toldIn = mutation.toldIn ?? file;
    const { problems } = await lintManifests(filesOf(texts), mutation.engines ?? engines);
    const lineOf = (number: number) => (texts.get(toldIn) ?? "").split("\n")[number - 1] ?? "";
    const told = problems
      .filter((problem) => problem.rule === rule && message.test(problem.message))
      .filter((problem) => problem.file === toldIn)
      .map((problem) => ({ line: problem.line, text: lineOf(problem.line) }));
    if (typeof line === "number") expect(told.map((one) => one.line)).toContain(line);
    else expect(told.map((one) => one.text)).toContainEqual(expect.stringMatching(line));
  });
});

test("a fallback whose cost is told is one that was thought about", async () => {
  const texts = new Map(real.paths.map((path) => [path, real.read(path) ?? ""]));
  const fallback =
    "  # Costs two pods while the broker is away.\n  fallback:\n    failureThreshold: 3\n    replicas: 2\n";
  texts.set(SCALER, (texts.get(SCALER) ?? "").replace("  advanced:\n", `${fallback}  advanced:\n`));
  expect((await lintManifests(filesOf(texts), engines)).problems).toEqual([]);
});

test("a variable's file is as good as the variable", async () => {
  const texts = new Map(real.paths.map((path) => [path, real.read(path) ?? ""]));
  const rename = (path: string) =>
    texts.set(path, (texts.get(path) ?? "").replaceAll("REDIS_URL", "REDIS_URL_FILE"));
  for (const path of [TEMPLATE, ...real.paths.filter((one) => one.includes("external-secrets/"))])
    rename(path);
  expect((await lintManifests(filesOf(texts), engines)).problems).toEqual([]);
});

test("an overlay narrows what the engines reach to the addresses of its servers", async () => {
  const texts = new Map(real.paths.map((path) => [path, real.read(path) ?? ""]));
  const narrow =
    "patches:\n  - target:\n      kind: NetworkPolicy\n      labelSelector: app.kubernetes.io/component=egress\n" +
    "    patch: |-\n      - op: replace\n        path: /spec/egress/0/to\n        value: [{ ipBlock: { cidr: 203.0.113.7/32 } }]\n";
  texts.set(DEV, (texts.get(DEV) ?? "").replace("patches:\n", narrow));
  const files = filesOf(texts);
  expect((await lintManifests(files, engines)).problems).toEqual([]);
  const reached = compose(files, "manifests/overlays/dev")
    .objects.filter(({ kind, name }) => kind === "NetworkPolicy" && name === "activities")
    .map((policy) => valueAt(policy, ["spec", "egress", 0, "to"]));
  expect(reached).toEqual([[{ ipBlock: { cidr: "203.0.113.7/32" } }]]);
});

test("an engine's door to the internet is one line, and only its own pods go through", async () => {
  const texts = new Map(real.paths.map((path) => [path, real.read(path) ?? ""]));
  const both = `${resourcesAnd("../../outbound")}  - ../../outbound/http\n`;
  texts.set(ENGINE, (texts.get(ENGINE) ?? "").replace(RESOURCES, both));
  const files = filesOf(texts);
  expect((await lintManifests(files, engines)).problems).toEqual([]);
  for (const overlay of ["manifests/overlays/dev", "manifests/overlays/staging"]) {
    const { objects } = compose(files, overlay);
    const label = (scheme: string) => `tl-engine/outbound-${scheme}`;
    const through = (scheme: string) =>
      objects
        .filter((it) => it.kind === "Deployment")
        .filter((it) => {
          const labels = ["spec", "template", "metadata", "labels"];
          return valueAt(it, [...labels, label(scheme)]) === "open";
        })
        .map(({ name }) => name);
    expect([through("https"), through("http")]).toEqual([["activities"], ["activities"]]);
    for (const [scheme, port] of [
      ["https", 443],
      ["http", 80],
    ] as const) {
      const policy = objects.find(({ name }) => name === `outbound-${scheme}`);
      if (!policy) throw new Error(`${overlay} has no outbound-${scheme}`);
      expect(valueAt(policy, ["spec", "podSelector"])).toEqual({
        matchLabels: { [label(scheme)]: "open" },
      });
      expect(valueAt(policy, ["spec", "egress"])).toEqual([
        {
          to: INTERNET.map(({ cidr, except }) => ({ ipBlock: { cidr, except } })),
          ports: [{ port, protocol: "TCP" }],
        },
      ]);
    }
  }
});

test("mail leaves from the engine that sends it, and from no other", () => {
  for (const overlay of ["manifests/overlays/dev", "manifests/overlays/staging"]) {
    const senders = compose(real, overlay)
      .objects.filter(({ kind }) => kind === "Deployment")
      .filter((it) => {
        const labels = ["spec", "template", "metadata", "labels"];
        return valueAt(it, [...labels, "tl-engine/outbound-smtp"]) === "open";
      });
    expect(senders.map(({ name }) => name)).toEqual(["notifications"]);
  }
});

test("whatever stands in place of a value, it is told or taken, never thrown", async () => {
  const files = real.paths.filter((path) => path.endsWith(".yaml"));
  const change = fc.record({
    file: fc.constantFrom(...files),
    at: fc.nat(),
    junk: fc.constantFrom(
      "null",
      "[]",
      "{}",
      "3",
      "x",
      "[null]",
      "[[]]",
      "{a: null}",
      "'('",
      "2001-01-01",
    ),
  });
  await fc.assert(
    fc.asyncProperty(change, async ({ file, at, junk }) => {
      const lines = (real.read(file) ?? "").split("\n");
      const members = lines.flatMap((text, index) =>
        /^\s*(- )?[\w./-]+:/.test(text) ? [index] : [],
      );
      const line = members[at % members.length] ?? 0;
      const [indent = ""] = /^\s*(- )?/.exec(lines[line] ?? "") ?? [];
      const next = lines.findIndex(
        (text, index) =>
          index > line && text.trim() !== "" && !text.startsWith(`${" ".repeat(indent.length)} `),
      );
      lines.splice(
        line,
        (next < 0 ? lines.length : next) - line,
        `${(lines[line] ?? "").split(":")[0]}: ${junk}`,
      );
      const texts = new Map(real.paths.map((path) => [path, real.read(path) ?? ""]));
      texts.set(file, lines.join("\n"));
      const { problems } = await lintManifests(filesOf(texts), engines);
      for (const { line: told } of problems) expect(told).toBeGreaterThan(0);
    }),
    {
      numRuns: 25,
      examples: [
        [{ file: "keda/activities.yaml", at: 0, junk: "x" }],
        [{ file: "manifests/base/job.yaml", at: 1_494_143_671, junk: "null" }],
      ],
    },
  );
}, 60_000);

test("every rule is broken once", () => {
  const broken = new Set(MUTATIONS.map(({ rule }) => rule));
  const all = [...Object.keys(READER_RULES), ...RULES.map(({ name }) => name)];
  expect(all.filter((name) => !broken.has(name))).toEqual([]);
  expect([...broken].filter((name) => !all.includes(name))).toEqual([]);
});

test("the handbook tells every rule, and no other", () => {
  const page = readFileSync(join(REPOSITORY, "docs/infra/reglas-de-manifiestos.md"), "utf8");
  const told = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1]);
  const all = [...Object.keys(READER_RULES), ...RULES.map(({ name }) => name)];
  expect(told.toSorted()).toEqual(all.toSorted());
});

test("every rule has a name of its own", () => {
  const names = RULES.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)]);
});
