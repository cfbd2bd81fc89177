/** An S3 server as child processes: OpenStack Swift with s3api, on one folder, with rings of one device. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { BucketAlreadyOwnedByYou, CreateBucketCommand } from "@aws-sdk/client-s3";
import { openS3 } from "../files/open-s3.ts";
import { findBinary } from "./binaries.ts";
import type { NativeService } from "./native.ts";
import { NativeProcess } from "./native-process.ts";
import { freePorts, untilReady } from "./ready.ts";
import type { Reaper } from "./reaper.ts";
import type { ServiceUrls } from "./urls.ts";

const STORES = ["account", "container", "object"] as const;
type Ports = Record<(typeof STORES)[number] | "proxy", number>;

/** As tempauth has it, an access key is `<account>:<user>`. */
const OWNER = { S3_ACCESS_KEY_ID: "files:owner", S3_SECRET_ACCESS_KEY: "owners-secret" };
/** A user of the same account to whom nothing was granted, for tests of refusals. */
export const STRANGER = {
  S3_ACCESS_KEY_ID: "files:stranger",
  S3_SECRET_ACCESS_KEY: "strangers-secret",
};
const REGION = "local";

/** Debian's Python, for which its packages are: another may come first in PATH. */
const PYTHON = "/usr/bin/python3";

const RINGS = `import sys
from swift.common.ring import RingBuilder
for name, port in zip(("account", "container", "object"), sys.argv[1:]):
    builder = RingBuilder(0, 1, 0)
    builder.add_dev(dict(id=0, region=1, zone=1, ip="127.0.0.1", port=int(port), device="d1", weight=1.0,
                         meta="", replication_ip="127.0.0.1", replication_port=int(port)))
    builder.rebalance()
    builder.get_ring().save(name + ".ring.gz")
`;
/** The servers read /etc/swift/swift.conf, which no option changes. */
const LAUNCH = `import runpy, sys
from swift.common.utils import set_swift_dir
set_swift_dir(sys.argv[1])
del sys.argv[:2]
runpy.run_path(sys.argv[0], run_name="__main__")
`;
const SWIFT_CONF = `[swift-hash]
swift_hash_path_prefix = tests
swift_hash_path_suffix = tests
[storage-policy:0]
name = only
default = yes
`;

// One process each (workers = 0). Patient: on a busy machine a store that takes a second would be left out
// for a minute, and a listing would lack what its container was not told of in time.
const common = (dir: string, port: number) => `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
swift_dir = ${dir}
devices = ${join(dir, "devices")}
mount_check = false
disable_fallocate = true
workers = 0
user = ${userInfo().username}
log_level = WARNING
conn_timeout = 10
node_timeout = 60
container_update_timeout = 60
`;

const storeConf = (name: string) => `[pipeline:main]
pipeline = ${name}-server
[app:${name}-server]
use = egg:swift#${name}
`;

const FILTERS = ["catch_errors", "gatekeeper", "listing_formats", "bulk", "slo", "dlo"];

const PROXY_CONF = `[pipeline:main]
pipeline = catch_errors gatekeeper cache listing_formats s3api tempauth bulk slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
conn_timeout = 10
node_timeout = 60
recoverable_node_timeout = 60
error_suppression_limit = 1000000
# tempauth wants a memcached for tokens, which nobody here uses: a port where there is none will do.
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:s3api]
use = egg:swift#s3api
location = ${REGION}
[filter:tempauth]
use = egg:swift#tempauth
user_${OWNER.S3_ACCESS_KEY_ID.replace(":", "_")} = ${OWNER.S3_SECRET_ACCESS_KEY} .admin
user_${STRANGER.S3_ACCESS_KEY_ID.replace(":", "_")} = ${STRANGER.S3_SECRET_ACCESS_KEY}
${FILTERS.map((name) => `[filter:${name}]\nuse = egg:swift#${name}\n`).join("")}`;

type S3Urls = Pick<
  ServiceUrls,
  "S3_ENDPOINT" | "S3_REGION" | "S3_BUCKET" | "S3_ACCESS_KEY_ID" | "S3_SECRET_ACCESS_KEY"
>;

/** Resolves when the server has the bucket, which it makes where it is not there. */
async function connectToS3(urls: S3Urls): Promise<void> {
  const s3 = openS3({
    endpoint: urls.S3_ENDPOINT,
    region: urls.S3_REGION,
    accessKeyId: urls.S3_ACCESS_KEY_ID,
    secretAccessKey: urls.S3_SECRET_ACCESS_KEY,
  });
  try {
    await s3.send(new CreateBucketCommand({ Bucket: urls.S3_BUCKET }));
  } catch (error) {
    if (!(error instanceof BucketAlreadyOwnedByYou)) throw error;
  } finally {
    s3.destroy();
  }
}

export async function startSwift(dir: string, reaper?: Reaper): Promise<NativeService> {
  const [proxyPort, account, container, object] = (await freePorts(4)) as [
    number,
    number,
    number,
    number,
  ];
  const ports: Ports = { proxy: proxyPort, account, container, object };
  mkdirSync(join(dir, "devices", "d1"), { recursive: true });
  writeFileSync(join(dir, "swift.conf"), SWIFT_CONF);
  execFileSync(PYTHON, ["-c", RINGS, ...STORES.map((name) => String(ports[name]))], {
    cwd: dir,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const serverOf = (name: keyof Ports) => {
    const conf = join(dir, `${name}.conf`);
    writeFileSync(
      conf,
      common(dir, ports[name]) + (name === "proxy" ? PROXY_CONF : storeConf(name)),
    );
    const binary = `swift-${name}-server` as const;
    return new NativeProcess(
      {
        name: `Swift (${name})`,
        file: PYTHON,
        args: ["-c", LAUNCH, dir, findBinary(binary) ?? binary, conf],
        cwd: dir,
        logFile: join(dir, `${name}.log`),
      },
      reaper,
    );
  };
  const stores = STORES.map(serverOf);
  const proxy = serverOf("proxy");
  const processes = [proxy, ...stores];
  const urls: S3Urls = {
    S3_ENDPOINT: `http://127.0.0.1:${proxyPort}`,
    S3_REGION: REGION,
    S3_BUCKET: "engine-files",
    ...OWNER,
  };
  const ready = () =>
    untilReady("Swift", () => connectToS3(urls), {
      ended: () => processes.map((process) => process.endedWith()).find((end) => end !== undefined),
    });
  for (const process of processes) process.spawn();
  await ready();
  return { urls, main: proxy, processes, ready };
}
