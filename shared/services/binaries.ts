/** Finds the servers' binaries, and installs what is missing with apt or brew, after saying so. */
import { execFileSync, spawnSync } from "node:child_process";
import { accessSync, constants, globSync } from "node:fs";
import { delimiter, join } from "node:path";

/** `folders` are searched before PATH, the newest version first. */
const BINARIES = {
  // Debian's /usr/sbin/rabbitmq-server is a wrapper around one system-wide broker: not that one.
  "rabbitmq-server": {
    folders: ["/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin"],
    apt: "rabbitmq-server",
    brew: "rabbitmq",
  },
  epmd: { folders: [], apt: "rabbitmq-server", brew: "rabbitmq" },
  postgres: {
    folders: [
      "/usr/lib/postgresql/*/bin",
      "/usr/pgsql-*/bin",
      "/opt/homebrew/opt/postgresql@*/bin",
    ],
    apt: "postgresql",
    brew: "postgresql@17",
  },
  initdb: {
    folders: [
      "/usr/lib/postgresql/*/bin",
      "/usr/pgsql-*/bin",
      "/opt/homebrew/opt/postgresql@*/bin",
    ],
    apt: "postgresql",
    brew: "postgresql@17",
  },
  "redis-server": { folders: [], apt: "redis-server", brew: "redis" },
  pgbouncer: { folders: [], apt: "pgbouncer", brew: "pgbouncer" },
  // Homebrew has none of it: there S3_ENDPOINT names a server.
  "swift-proxy-server": { folders: [], apt: "swift-proxy", brew: undefined },
  "swift-account-server": { folders: [], apt: "swift-account", brew: undefined },
  "swift-container-server": { folders: [], apt: "swift-container", brew: undefined },
  "swift-object-server": { folders: [], apt: "swift-object", brew: undefined },
} as const;

export type Binary = keyof typeof BINARIES;

/** A server is not installed, and we may not install it; the message says what to do. */
export class BinaryMissing extends Error {
  override readonly name = "BinaryMissing";
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path of a binary, or undefined. */
export function findBinary(name: Binary): string | undefined {
  const newestFirst = new Intl.Collator("en", { numeric: true });
  const known = BINARIES[name].folders.flatMap((pattern) =>
    globSync(pattern).sort((a, b) => newestFirst.compare(b, a)),
  );
  const onPath = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin"];
  return [...known, ...onPath].map((folder) => join(folder, name)).find(executable);
}

/**
 * Debian starts a server when it is installed. We only want its binary, so a policy forbids that
 * meanwhile, unless the machine has a policy of its own. Test files that need the same server may ask at once: the
 * second waits for the first, and finds it there.
 */
const APT_SCRIPT = `
exec 9>/var/cache/apt/tl-engine.lock && flock 9
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then trap "rm -f $policy" EXIT; printf '#!/bin/sh\\nexit 101\\n' >$policy; chmod 755 $policy; fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"
`;

const succeeds = (file: string, args: string[]) =>
  spawnSync(file, args, { stdio: "ignore" }).status === 0;

function install(file: string, args: string[], packages: string[], say: (line: string) => void) {
  say(
    `Not installed: ${packages.join(", ")}. Installing with ${file === "brew" ? "brew" : "apt"} …`,
  );
  // Its chatter goes to stderr: stdout belongs to the command that was asked for.
  const { status } = spawnSync(file, args, { stdio: ["ignore", 2, 2] });
  if (status !== 0)
    throw new BinaryMissing(`Installing ${packages.join(", ")} failed (see above).`);
}

/** Makes sure that the binaries are there. Throws {@link BinaryMissing} with what to run. */
export function requireBinaries(
  names: Binary[],
  say: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
): void {
  const missing = names.filter((name) => findBinary(name) === undefined);
  if (missing.length === 0) return;
  const packages = (manager: "apt" | "brew") => [
    ...new Set(missing.flatMap((name) => BINARIES[name][manager] ?? [])),
  ];
  if (succeeds("sh", ["-c", "command -v apt-get"])) {
    const apt = ["-c", APT_SCRIPT, "apt", ...packages("apt")];
    if (process.getuid?.() === 0) install("sh", apt, packages("apt"), say);
    else if (succeeds("sudo", ["-n", "true"]))
      install("sudo", ["-n", "sh", ...apt], packages("apt"), say);
  } else if (packages("brew").length > 0 && succeeds("sh", ["-c", "command -v brew"])) {
    install("brew", ["install", "--quiet", ...packages("brew")], packages("brew"), say);
  }
  const still = names.filter((name) => findBinary(name) === undefined);
  if (still.length === 0) return;
  const manager = process.platform === "darwin" ? "brew" : "apt";
  const command = manager === "brew" ? "brew install" : "sudo apt-get install";
  const asked = packages(manager);
  const installing =
    asked.length > 0 ? ` Run \`${command} ${asked.join(" ")}\`, or start` : " Start";
  throw new BinaryMissing(
    `Not installed: ${still.join(", ")}.${installing} ` +
      "Docker, or point AMQP_URL, RABBITMQ_MANAGEMENT_URL, DATABASE_URL, REDIS_URL and S3_ENDPOINT at servers.",
  );
}

/** Postgres and PgBouncer refuse to run as root; then they run as the user that their package made. */
export function unprivilegedOwner(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}
