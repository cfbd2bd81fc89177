/** What the stand-in knows of the cluster: objects that were applied, and workers that run as its pods. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { REPOSITORY } from "../../../repository.ts";
import { createFleet, type Fleet } from "../../../scaling/fleet/fleet.ts";
import { readKeda } from "../../../scaling/fleet/read-keda.ts";
import { toYaml } from "../../deploy/render.ts";
import { compose } from "../../kustomize/compose.ts";
import { repositoryFiles } from "../../kustomize/files.ts";
import { readObjects, type SourceObject } from "../../read/documents.ts";

export interface Reply {
  stdout: string;
  stderr: string;
  status: number;
  forward?: {
    service: string;
    port: string;
    localPort: number;
    host: string;
    targetPort: number;
  };
}

/** KEDA's and the HPA's clocks in one second; a queue that wants a second replica; and the most that a test runs. */
const TIME_SCALE = 30;
const JOBS_A_REPLICA = 400;
const MAX_REPLICAS = 2;
const GRACE_S = 30;

const told = (stdout: string): Reply => ({ stdout, stderr: "", status: 0 });
const list = (items: unknown[]) => told(JSON.stringify({ items }));
const isTrue = (type: string) => ({ conditions: [{ type, status: "True" }] });

export class StandInState {
  context = "tl-engine-dev";
  kedaVersion = "2.20.0";
  /** Whether the Job of a deploy comes to its end. */
  jobsEnd = true;
  readonly objects = new Map<string, SourceObject>();
  readonly killedPods: string[] = [];
  readonly #prefix: string;
  readonly #logs = mkdtempSync(join(tmpdir(), "tl-stand-in-logs-"));
  #fleet: Fleet | undefined;
  #brokerUser: string | undefined;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** @param args without context and namespace. */
  async answer(args: string[], input: string): Promise<Reply> {
    const line = args.join(" ");
    const [verb = "", noun = "", name = ""] = args;
    if (line === "config current-context") return told(`${this.context}\n`);
    if (verb === "kustomize") return told(this.#kustomize(noun));
    if (verb === "create" || verb === "apply") return this.#take(input);
    if (verb === "port-forward") return this.#forward(args);
    if (verb === "delete") return this.#delete(noun, name);
    if (verb === "logs") return told("");
    if (verb === "get") return this.#get(noun, name, line);
    return { stdout: "", stderr: `the stand-in knows no ${line}`, status: 1 };
  }

  names(kind: string): string[] {
    return this.#of(kind).map(({ name }) => name);
  }

  async close(): Promise<void> {
    await this.#fleet?.stop();
    if (this.#brokerUser !== undefined) await askBroker("DELETE", `users/${this.#brokerUser}`);
    rmSync(this.#logs, { recursive: true, force: true });
  }

  #of(kind: string) {
    return [...this.objects.values()].filter((object) => object.kind === kind);
  }

  #kustomize(folder: string): string {
    const { objects } = compose(repositoryFiles(), relative(REPOSITORY, folder));
    return toYaml(objects).replace("ENGINE_PREFIX: engine", `ENGINE_PREFIX: ${this.#prefix}`);
  }

  async #take(input: string): Promise<Reply> {
    for (const object of readObjects("stdin", input).objects) {
      this.objects.set(`${object.kind}/${object.name}`, object);
      if (object.kind === "Secret" && object.name === "try-services") {
        const secret = object.value.stringData as Record<string, string>;
        await addBrokerUser(secret);
        this.#brokerUser = secret.amqpUser;
      }
      if (object.kind === "ScaledObject" && !this.#fleet) this.#startFleet();
    }
    return told("");
  }

  #startFleet(): void {
    const { AMQP_URL: amqpUrl = "", RABBITMQ_MANAGEMENT_URL: managementUrl = "" } = process.env;
    const folder = join(REPOSITORY, "keda");
    const own = { folder, amqpUrl, managementUrl, prefix: this.#prefix };
    this.#fleet = createFleet({
      scaledObjects: readKeda({ ...own, maxReplicas: MAX_REPLICAS }).map((it) => ({
        ...it,
        triggers: it.triggers.map((trigger) => ({ ...trigger, value: JOBS_A_REPLICA })),
      })),
      env: { ...process.env, ENGINE_PREFIX: this.#prefix, LOG_LEVEL: "warn" },
      logFolder: this.#logs,
      repository: REPOSITORY,
      timeScale: TIME_SCALE,
      graceS: () => GRACE_S,
      onEvent: () => {},
    });
    this.#fleet.start();
  }

  #deployments(onlyWorkers: boolean): Reply {
    const engines = new Map(this.#fleet?.engines.map((it) => [it.deployment.name, it.deployment]));
    const items = this.#of("Deployment").flatMap(({ name, value }) => {
      const isServer = JSON.stringify(value).includes("only-for");
      if (isServer)
        return onlyWorkers ? [] : [{ metadata: { name }, spec: {}, status: { readyReplicas: 1 } }];
      const { replicas = 0, pods = { running: 0, draining: 0 } } = engines.get(name) ?? {};
      const status = { replicas: pods.running + pods.draining, readyReplicas: pods.running };
      return [{ metadata: { name }, spec: { replicas }, status }];
    });
    return list(items);
  }

  #pods(line: string): Reply {
    const [, only] = /name=([\w-]+)/.exec(line) ?? [];
    const items = (this.#fleet?.engines ?? []).flatMap(({ deployment: { name, pids } }) =>
      only !== undefined && only !== name
        ? []
        : pids.map((pid) => ({
            metadata: { name: `${name}-${pid}` },
            status: { phase: "Running" },
          })),
    );
    return list(items);
  }

  #get(noun: string, name: string, line: string): Reply {
    if (line.includes("-l app=keda-operator")) return list(keda(this.kedaVersion));
    switch (noun) {
      case "crd":
        return told(JSON.stringify({ spec: { versions: [{ name: "v1alpha1", served: true }] } }));
      case "apiservice":
        return told(JSON.stringify({ status: isTrue("Available") }));
      case "namespace":
        return told(this.names("Namespace").includes(name) ? `${name} Active\n` : "");
      case "namespaces":
        return told(
          this.names("Namespace")
            .map((it) => `namespace/${it}\n`)
            .join(""),
        );
      case "deployments.apps":
        return this.#deployments(line.includes("component=worker"));
      case "pods":
        return this.#pods(line);
      case "events":
        return list([]);
      case "job":
        return told(JSON.stringify({ status: this.jobsEnd ? isTrue("Complete") : {} }));
      case "scaledobjects.keda.sh":
        return list(
          this.names("ScaledObject").map((it) => ({
            metadata: { name: it },
            spec: this.objects.get(`ScaledObject/${it}`)?.value.spec,
            status: isTrue("Ready"),
          })),
        );
      default:
        return { stdout: "", stderr: `the stand-in has no ${noun}`, status: 1 };
    }
  }

  async #delete(noun: string, name: string): Promise<Reply> {
    if (noun === "pod") {
      this.killedPods.push(name);
      process.kill(Number(name.split("-").at(-1)), "SIGKILL");
    }
    if (noun === "scaledobjects.keda.sh") {
      await this.#fleet?.stop();
      this.#fleet = undefined;
    }
    if (noun === "namespace")
      for (const [key, { kind }] of this.objects)
        if (kind !== "PriorityClass") this.objects.delete(key);
    if (noun.startsWith("priorityclasses"))
      for (const key of this.objects.keys())
        if (key.startsWith("PriorityClass/")) this.objects.delete(key);
    return told("");
  }

  #forward(args: string[]): Reply {
    const service = (args.find((it) => it.startsWith("service/")) ?? "").slice("service/".length);
    const [localPort = "", port = ""] = (args.at(-1) ?? "").split(":");
    const url = new URL(
      (service === "rabbitmq" ? process.env.AMQP_URL : process.env.DATABASE_URL) ?? "",
    );
    const target = { host: url.hostname, targetPort: Number(url.port) };
    return { ...told(""), forward: { service, port, localPort: Number(localPort), ...target } };
  }
}

const keda = (version: string) => [
  {
    metadata: { name: "keda-operator", namespace: "keda" },
    spec: { template: { spec: { containers: [{ image: `ghcr.io/kedacore/keda:${version}` }] } } },
    status: { availableReplicas: 1 },
  },
];

/** The broker of the tests makes the user that the try's own would make of its Secret. */
async function addBrokerUser({ amqpUser = "", amqpPassword }: Record<string, string>) {
  const vhost = new URL(process.env.AMQP_URL ?? "").pathname.slice(1);
  await askBroker("PUT", `users/${amqpUser}`, { password: amqpPassword, tags: "" });
  const all = { configure: ".*", write: ".*", read: ".*" };
  await askBroker("PUT", `permissions/${vhost}/${amqpUser}`, all);
}

async function askBroker(method: "PUT" | "DELETE", path: string, body?: object): Promise<void> {
  const { username, password, origin } = new URL(process.env.RABBITMQ_MANAGEMENT_URL ?? "");
  const response = await fetch(`${origin}/api/${path}`, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`,
      "content-type": "application/json",
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
}
