/** A `rabbitmq` trigger as KEDA 2.20 reads it: look-ups, defaults, and what makes it refuse one. */
import { goUrlFault } from "./go-url.ts";
import { goBoolean, goDurationMs, goFloat, goWhole } from "./go-values.ts";
import type { RabbitMqMode, RabbitMqTrigger } from "./scaled-object.ts";

/** Where the values come from, in KEDA's order. */
export interface TriggerSources {
  /** `metadata` of the trigger. */
  metadata: Readonly<Record<string, string>>;
  /** From the TriggerAuthentication, by parameter. */
  authentication: Readonly<Record<string, string>>;
  /** Environment of the container that is scaled. */
  environment(name: string): string | undefined;
}

export interface TriggerFault {
  /** Of the metadata; undefined: it comes from the authentication. */
  field?: string;
  message: string;
  fix: string;
}

/** `keda-http-default-timeout` */
const DEFAULT_TIMEOUT_MS = 3_000;
const DEFAULT_QUEUE_LENGTH = 20;
const MODES: readonly RabbitMqMode[] = [
  "QueueLength",
  "MessageRate",
  "DeliverGetRate",
  "PublishedToDeliveredRatio",
  "ExpectedQueueConsumptionTime",
];
const OPERATIONS = ["sum", "avg", "max"] as const;
const METADATA = new Set([
  ...["queueName", "mode", "value", "activationValue", "host", "hostFromEnv", "protocol"],
  ...["vhostName", "useRegex", "operation", "pageSize", "excludeUnacknowledged", "timeout"],
  ...["unsafeSsl", "usernameFromEnv", "passwordFromEnv", "queueLength"],
]);

/** All that is wrong is reported together; a trigger only where nothing is. */
export function parseRabbitMqTrigger(
  sources: TriggerSources,
): { trigger: RabbitMqTrigger } | { faults: TriggerFault[] } {
  const faults: TriggerFault[] = [];
  const reader = readerOf(sources, faults);
  for (const field of Object.keys(sources.metadata))
    if (!METADATA.has(field))
      reader.fault(field, `${field} is no parameter of the rabbitmq trigger, so KEDA ignores it`, [
        "remove it, or correct its name",
      ]);

  const queueName = reader.text("queueName", ["metadata"]);
  if (queueName === undefined)
    reader.fault("queueName", "queueName is missing, and KEDA can't build the trigger without it");
  const host = reader.text("host", ["metadata", "authentication", "environment"]);
  if (host === undefined)
    reader.fault(
      "host",
      "no host: neither host, nor the authentication, nor hostFromEnv give one",
      [
        sources.metadata.hostFromEnv
          ? `give the container that is scaled the variable ${sources.metadata.hostFromEnv}, or take the host from a TriggerAuthentication`
          : "give the management API's URL as host, best through a TriggerAuthentication",
      ],
    );
  const hostFault = host === undefined ? undefined : goUrlFault(host);
  if (hostFault !== undefined)
    reader.fault("host", `KEDA can't read the host as a URL: ${hostFault}`, ["encode it"]);
  const protocol = readProtocol(reader, host);
  const target = readTarget(reader);
  const trigger = {
    queueName: queueName ?? "",
    ...target,
    activationValue: reader.number("activationValue") ?? 0,
    protocol: protocol ?? "http",
    host: host ?? "",
    ...defined({
      vhostName: reader.text("vhostName", ["metadata", "authentication"]),
      username: reader.text("username", ["authentication", "environment"]),
      password: reader.text("password", ["authentication", "environment"]),
    }),
    useRegex: reader.boolean("useRegex"),
    operation: reader.oneOf("operation", OPERATIONS) ?? "sum",
    pageSize: readPageSize(reader),
    excludeUnacknowledged: reader.boolean("excludeUnacknowledged"),
    timeoutMs: readTimeout(reader),
    unsafeSsl: reader.boolean("unsafeSsl"),
    ...defined({ tls: readTls(reader) }),
  } satisfies RabbitMqTrigger;
  checkTogether(reader, trigger, protocol);
  return faults.length > 0 ? { faults } : { trigger };
}

type Source = "metadata" | "authentication" | "environment";
type Reader = ReturnType<typeof readerOf>;

function readerOf(sources: TriggerSources, faults: TriggerFault[]) {
  const { metadata, authentication, environment } = sources;
  const fault = (field: string, message: string, [fix = `correct ${field}`]: string[] = []) => {
    const stands = Object.hasOwn(metadata, field);
    faults.push({ ...(stands && { field }), message, fix });
  };
  /** An empty value counts as none. */
  const text = (name: string, from: readonly Source[]): string | undefined => {
    for (const source of from) {
      const value =
        source === "metadata"
          ? metadata[name]
          : source === "authentication"
            ? authentication[name]
            : metadata[`${name}FromEnv`] && environment(metadata[`${name}FromEnv`] ?? "");
      if (value) return value;
    }
    return undefined;
  };
  const parsed = <Value>(
    name: string,
    parse: (value: string) => Value | undefined,
    what: string,
  ): Value | undefined => {
    const value = text(name, ["metadata"]);
    if (value === undefined) return undefined;
    const result = parse(value);
    if (result === undefined)
      fault(name, `${name} is "${value}", which KEDA can't read as ${what}`, [`write ${what}`]);
    return result;
  };
  return {
    fault,
    text,
    parsed,
    number: (name: string) => parsed(name, goFloat, "a number"),
    boolean: (name: string) => parsed(name, goBoolean, "true or false") ?? false,
    oneOf: <const Choice extends string>(name: string, choices: readonly Choice[]) =>
      parsed(
        name,
        (value) => choices.find((choice) => choice === value),
        `one of ${choices.join(", ")}`,
      ),
  };
}

/** undefined where it can't be told; that is reported already. */
function readProtocol(reader: Reader, host: string | undefined): "http" | "amqp" | undefined {
  const given = reader.text("protocol", ["metadata", "authentication"]) ?? "auto";
  if (given === "http" || given === "amqp") return given;
  if (given !== "auto") {
    reader.fault("protocol", `the protocol has to be amqp, http or auto, but is "${given}"`);
    return undefined;
  }
  if (host === undefined) return undefined;
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(host)?.[1]?.toLowerCase();
  if (scheme === "http" || scheme === "https") return "http";
  if (scheme === "amqp" || scheme === "amqps") return "amqp";
  // The host itself may hold a password.
  reader.fault(
    "host",
    `protocol is auto, and the host's scheme "${scheme ?? ""}" tells KEDA neither http nor amqp`,
    ["write protocol: http"],
  );
  return undefined;
}

/** 0 counts as not given. */
function readTarget(reader: Reader): { mode: RabbitMqMode; value: number } {
  const queueLength = reader.number("queueLength") || undefined;
  const value = reader.number("value");
  const hasMode = reader.text("mode", ["metadata"]) !== undefined;
  const mode = reader.oneOf("mode", MODES);
  if (queueLength !== undefined) {
    if (hasMode || value)
      reader.fault(
        "queueLength",
        "queueLength is deprecated, and KEDA refuses it together with mode or value",
        ["keep mode and value, remove queueLength"],
      );
    return checkPositive(reader, "queueLength", { mode: "QueueLength", value: queueLength });
  }
  const isUnreadable = value === undefined && reader.text("value", ["metadata"]) !== undefined;
  if (!hasMode && (value || isUnreadable))
    reader.fault("value", "mode must be given together with value", ["write mode: QueueLength"]);
  if (hasMode && !value && !isUnreadable)
    reader.fault("mode", "value must be given together with mode, and not be 0", [
      "write the value that is right for one replica",
    ]);
  return checkPositive(reader, "value", {
    mode: mode ?? "QueueLength",
    value: value || DEFAULT_QUEUE_LENGTH,
  });
}

function checkPositive<Target extends { value: number }>(
  reader: Reader,
  field: string,
  target: Target,
): Target {
  // It becomes a quantity in thousandths.
  if (target.value < 0.001)
    reader.fault(field, `${field} ${target.value} is no target: the HPA needs a positive one`);
  return target;
}

function readPageSize(reader: Reader): number {
  const pageSize = reader.parsed("pageSize", goWhole, "a whole number") ?? 100;
  if (pageSize < 1) reader.fault("pageSize", `pageSize is ${pageSize} and should be 1 or greater`);
  return pageSize;
}

function readTimeout(reader: Reader): number {
  const what = "milliseconds, or a duration such as 5s";
  const timeoutMs = reader.parsed("timeout", goDurationMs, what);
  if (timeoutMs !== undefined && timeoutMs < 0)
    reader.fault("timeout", "timeout is negative, so that every request would fail at once");
  return timeoutMs || DEFAULT_TIMEOUT_MS;
}

function readTls(reader: Reader): RabbitMqTrigger["tls"] {
  const get = (name: string) => reader.text(name, ["authentication"]);
  const how = get("tls") ?? "disable";
  if (how !== "enable" && how !== "disable")
    reader.fault("tls", `tls is "${how}" and has to be enable or disable`);
  const [cert, key] = [get("cert"), get("key")];
  if ((cert === undefined) !== (key === undefined))
    reader.fault("cert", "cert and key must be given together");
  if (how !== "enable") return undefined;
  return defined({ ca: get("ca"), cert, key, keyPassword: get("keyPassword") });
}

/** What depends on the protocol, and what must come in pairs. */
function checkTogether(reader: Reader, trigger: RabbitMqTrigger, protocol: string | undefined) {
  if ((trigger.username === undefined) !== (trigger.password === undefined))
    reader.fault("username", "username and password must be given together");
  const get = (name: string) => reader.text(name, ["authentication"]);
  const oauth = ["oauthTokenURI", "clientID", "clientSecret"].map(get);
  const usesOAuth = oauth.some((value) => value !== undefined);
  if (usesOAuth && oauth.includes(undefined))
    reader.fault("oauth2", "OAuth2 needs the token URL, the client's id and its secret");
  const identity = get("workloadIdentityResource");
  if (usesOAuth && (trigger.username !== undefined || identity !== undefined))
    reader.fault("oauth2", "OAuth2 can't be combined with a password or with workload identity");
  if (protocol !== "amqp") return;
  const needsHttp = (field: string, what = field) =>
    reader.fault(field, `${what} needs protocol http, but it is amqp`, ["write protocol: http"]);
  if (trigger.mode !== "QueueLength") needsHttp("mode", `mode ${trigger.mode}`);
  if (trigger.useRegex) needsHttp("useRegex");
  if (trigger.excludeUnacknowledged) needsHttp("excludeUnacknowledged");
  if (reader.text("timeout", ["metadata"]) !== undefined) needsHttp("timeout");
  if (usesOAuth) needsHttp("oauth2", "OAuth2");
  if (identity !== undefined) needsHttp("workloadIdentityResource", "workload identity");
}

/** Without the members that are undefined. */
function defined<Values extends Record<string, unknown>>(values: Values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Values]?: Exclude<Values[Name], undefined>;
  };
}
