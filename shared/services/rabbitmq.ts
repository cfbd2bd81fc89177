/** RabbitMQ as child processes: a node of its own name, ports, cookie and data, with its own epmd. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import amqp from "amqplib";
import { connectOptions } from "../broker/address.ts";
import { ask } from "../broker/management.ts";
import { findBinary } from "./binaries.ts";
import type { NativeService } from "./native.ts";
import { NativeProcess } from "./native-process.ts";
import { freePorts, untilReady } from "./ready.ts";
import type { Reaper } from "./reaper.ts";

/** Resolves when the broker takes connections on the vhost and its management API answers. */
export async function connectToRabbitMq(amqpUrl: string, managementUrl: string): Promise<void> {
  const connection = await amqp.connect(connectOptions(amqpUrl), { timeout: 10_000 });
  await connection.close();
  await ask(managementUrl, "GET", ["vhosts"]);
}

const configuration = (port: number, managementPort: number) => `
listeners.tcp.1 = 127.0.0.1:${port}
management.tcp.ip = 127.0.0.1
management.tcp.port = ${managementPort}
default_vhost = /engine
log.console = true
log.console.level = warning
log.file = false
collect_statistics_interval = 1000
# Smaller than the default of 512 MB, which it would fill before it compacts.
raft.wal_max_size_bytes = 64000000
`;

/**
 * The management API's figures are 5 s old and more by default; what is scaled by them here should not wait
 * so long. Quorum queues report by a clock of their own, and the API keeps one sample in 5 s.
 */
const ADVANCED_CONFIGURATION = `[
  {rabbit, [{quorum_tick_interval, 1000}]},
  {rabbitmq_management, [{sample_retention_policies,
    [{global, [{60, 1}]}, {basic, [{60, 1}]}, {detailed, [{10, 1}]}]}]}
].
`;

/** @param more lines of rabbitmq.conf, for a broker that a test has for itself. */
export async function startRabbitMq(
  dir: string,
  reaper?: Reaper,
  more = "",
): Promise<NativeService> {
  const [port, managementPort, distributionPort, epmdPort] = (await freePorts(4)) as [
    number,
    number,
    number,
    number,
  ];
  mkdirSync(join(dir, "home"), { recursive: true });
  const file = (name: string) => join(dir, name);
  writeFileSync(file("rabbitmq.conf"), configuration(port, managementPort) + more);
  writeFileSync(file("advanced.config"), ADVANCED_CONFIGURATION);
  writeFileSync(file("enabled_plugins"), "[rabbitmq_management].\n");
  // RabbitMQ would start a system-wide epmd that stays for ever. It finds this one instead.
  const epmd = new NativeProcess(
    {
      name: "epmd",
      file: findBinary("epmd") ?? "epmd",
      args: ["-port", String(epmdPort), "-address", "127.0.0.1"],
      cwd: dir,
      logFile: file("epmd.log"),
    },
    reaper,
  );
  const broker = new NativeProcess(
    {
      name: "RabbitMQ",
      file: findBinary("rabbitmq-server") ?? "rabbitmq-server",
      args: [],
      cwd: dir,
      logFile: file("rabbitmq.log"),
      env: {
        HOME: file("home"), // holds the cookie
        ERL_EPMD_PORT: String(epmdPort),
        RABBITMQ_NODENAME: `engine-${port}@localhost`,
        RABBITMQ_NODE_PORT: String(port),
        RABBITMQ_DIST_PORT: String(distributionPort),
        RABBITMQ_CONFIG_FILE: file("rabbitmq.conf"),
        RABBITMQ_ADVANCED_CONFIG_FILE: file("advanced.config"),
        RABBITMQ_CONF_ENV_FILE: file("rabbitmq-env.conf"), // absent, so that the system's is not read
        RABBITMQ_ENABLED_PLUGINS_FILE: file("enabled_plugins"),
        RABBITMQ_MNESIA_BASE: file("mnesia"),
        RABBITMQ_LOG_BASE: file("log"),
        // Idle schedulers sleep instead of spinning; distribution listens on this machine only.
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
          "+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}",
        // The start script then becomes the broker instead of waiting for it, so its pid is the broker's.
        RUNNING_UNDER_SYSTEMD: "true",
      },
    },
    reaper,
  );
  const amqpUrl = `amqp://guest:guest@127.0.0.1:${port}/%2Fengine`;
  const managementUrl = `http://guest:guest@127.0.0.1:${managementPort}`;
  const ready = () =>
    untilReady("RabbitMQ", () => connectToRabbitMq(amqpUrl, managementUrl), {
      ended: () => broker.endedWith(),
    });
  epmd.spawn();
  broker.spawn();
  await ready();
  return {
    urls: { AMQP_URL: amqpUrl, RABBITMQ_MANAGEMENT_URL: managementUrl },
    main: broker,
    processes: [broker, epmd],
    ready,
  };
}
