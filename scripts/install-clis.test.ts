/** scripts/install-clis.sh on machines that are made up: a PATH of its own, whose package managers write down what they do. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";

const SCRIPT = join(import.meta.dirname, "install-clis.sh");
/** What any system has, of the machine that the tests run on. */
const SYSTEM = [
  "env",
  "find",
  "grep",
  "head",
  "install",
  "mkdir",
  "mktemp",
  "printf",
  "rm",
  "sed",
  "sh",
  "tar",
];

const SAYS: Record<string, string> = {
  psql: "psql (PostgreSQL) 17.2 (Debian 17.2-1)",
  "redis-cli": "redis-cli 8.0.2",
  rabbitmqadmin: "rabbitmqadmin 4.0.5",
  kubectl: "Client Version: v1.36.1\nKustomize Version: v5.8.0",
  k9s: "Version              v0.50.6",
};
const TOOL_OF_PACKAGE: Record<string, string> = {
  "postgresql-client": "psql",
  "redis-tools": "redis-cli",
  kubectl: "kubectl",
  k9s: "k9s",
  libpq: "psql",
  redis: "redis-cli",
  rabbitmq: "rabbitmqadmin",
  "kubernetes-cli": "kubectl",
};

interface Machine {
  /** Tools that are there from the start. */
  has?: string[];
  /** Default: apt. */
  manager?: "apt" | "brew" | "none";
  /** Packages that apt knows beside Debian's own. */
  knows?: string[];
  /** A step that fails: a regular expression over a command and its arguments. */
  fails?: string;
  /** Default: root. */
  user?: "root" | "sudo" | "nobody";
}

/** Each fake writes down its call in `log`. Installing a package puts its tool on the PATH. */
function machine({ has = [], manager = "apt", knows = [], fails = "^$", user = "root" }: Machine) {
  const bin = mkdtempSync(join(tmpdir(), "install-clis-"));
  onTestFinished(() => rmSync(bin, { recursive: true, force: true }));
  const log = join(bin, "log");
  writeFileSync(log, "");
  for (const name of SYSTEM) symlinkSync(find(name), join(bin, name));
  const put = (name: string, body: string) => {
    rmSync(join(bin, name), { force: true });
    writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  };
  const says = (tool: string) => `cat <<'END'\n${SAYS[tool]}\nEND`;
  symlinkSync(find("cat"), join(bin, "cat"));
  symlinkSync(find("cp"), join(bin, "cp"));
  symlinkSync(find("chmod"), join(bin, "chmod"));
  for (const tool of Object.keys(SAYS)) put(`.${tool}`, says(tool));
  for (const tool of has) put(tool, says(tool));

  const record = `echo "$(basename "$0") $*" >>'${log}'; if echo "$(basename "$0") $*" | grep -qE '${fails}'; then echo broken >&2; exit 100; fi`;
  symlinkSync(find("basename"), join(bin, "basename"));
  const packages = Object.entries(TOOL_OF_PACKAGE)
    .map(([name, tool]) => `    ${name}) cp '${bin}/.${tool}' '${bin}/${tool}' ;;`)
    .join("\n");
  const installing = `${record}\nfor word; do case $word in\n${packages}\n  esac; done`;
  put("uname", `echo ${manager === "brew" ? "Darwin" : "Linux"}`);
  put("id", `echo ${user === "root" ? 0 : 1000}`);
  if (user === "sudo") put("sudo", `echo "sudo $1" >>'${log}'; exec "$@"`);
  if (manager === "apt") {
    put("apt-get", `${installing}\nif [ "$1" = download ]; then : >rabbitmq-server_4.deb; fi`);
    put(
      "apt-cache",
      `case " ${knows.join(" ")} " in *" $2 "*) echo "  Candidate: 1.36.1" ;; *) echo "  Candidate: (none)" ;; esac`,
    );
    put(
      "dpkg-deb",
      `${record}\nmkdir -p files/usr/bin; cp '${bin}/.rabbitmqadmin' files/usr/bin/rabbitmqadmin`,
    );
    // What would change the machine itself.
    put("install", `${record}\ncp "$3" '${bin}/rabbitmqadmin'`);
    put("curl", record);
    put("tee", `${record}\ncat >>'${log}'`);
    put("chmod", record);
    put("mkdir", `case "$*" in *" /etc/"*) ${record} ;; *) exec ${find("mkdir")} "$@" ;; esac`);
  }
  if (manager === "brew") put("brew", installing);
  const run = (...args: string[]) => {
    writeFileSync(log, "");
    const { status, stdout, stderr } = spawnSync("/bin/sh", [SCRIPT, ...args], {
      encoding: "utf8",
      env: { PATH: bin, TMPDIR: tmpdir() },
    });
    return { status, stdout, stderr, did: readFileSync(log, "utf8").split("\n").filter(Boolean) };
  };
  return { run, bin };
}

function find(name: string): string {
  const folders = ["/usr/bin", "/bin"].map((folder) => join(folder, name));
  return folders.find((path) => existsSync(path)) ?? `/usr/bin/${name}`;
}

const ALL = ["psql", "redis-cli", "rabbitmqadmin", "kubectl"];

describe("install-clis.sh", () => {
  test("says what is here, and does nothing where all are", () => {
    const { status, stdout, did } = machine({ has: ALL }).run();
    expect(stdout).toMatch(/^psql +17\.2 +\/\S+\/psql$/m);
    expect(stdout).toMatch(/^redis-cli +8\.0\.2 /m);
    expect(stdout).toMatch(/^rabbitmqadmin +4\.0\.5 /m);
    expect(stdout).toMatch(/^kubectl +1\.36\.1 /m);
    expect(stdout).toMatch(/install-clis: here=4 installed=0 missing=0\n$/);
    expect(did).toEqual([]);
    expect(status).toBe(0);
  });

  test("--check only tells", () => {
    const { status, stdout, did } = machine({ has: ["psql"] }).run("--check");
    expect(stdout).toMatch(/^kubectl +missing$/m);
    expect(stdout).toMatch(/install-clis: here=1 installed=0 missing=3\n$/);
    expect(did).toEqual([]);
    expect(status).toBe(1);
  });

  test.each(["apt", "brew"] as const)(
    "installs what is missing with %s, and only that; the second time nothing",
    (manager) => {
      const { run } = machine({ manager, has: ["psql"], knows: ["kubectl"] });
      const first = run();
      expect(first.stderr).toContain(`Installing kubectl with ${manager} …`);
      expect(first.stdout).toMatch(/install-clis: here=4 installed=3 missing=0\n$/);
      expect(first.did.join("\n")).not.toMatch(/postgresql-client|libpq/);
      expect(first.status).toBe(0);
      const second = run();
      expect(second.stdout).toMatch(/install-clis: here=4 installed=0 missing=0\n$/);
      expect(second.did).toEqual([]);
    },
  );

  test("takes rabbitmqadmin out of the broker's package, which it does not install", () => {
    const { did } = machine({ has: ["psql", "redis-cli", "kubectl"] }).run();
    const calls = did.map((call) => call.replace(/ files\/.* /, " … "));
    expect(calls).toEqual([
      "apt-get update -qq",
      "apt-get install -y -qq --no-install-recommends python3",
      "apt-get download -qq rabbitmq-server",
      "dpkg-deb -x rabbitmq-server_4.deb files",
      "install -m 755 … /usr/local/bin/rabbitmqadmin",
    ]);
  });

  test("adds Kubernetes' package source where apt knows no kubectl, with its key", () => {
    const { did, status } = machine({ has: ["psql", "redis-cli", "rabbitmqadmin"] }).run();
    expect(did).toContain("tee /etc/apt/sources.list.d/kubernetes.list");
    expect(did.join("\n")).toMatch(
      /curl -fsSL --proto =https -o (\S+) https:\/\/pkgs\.k8s\.io\/.*\ndeb \[signed-by=\1\] https:/s,
    );
    expect(status).toBe(0);
    const known = machine({
      has: ["psql", "redis-cli", "rabbitmqadmin"],
      knows: ["kubectl"],
    }).run();
    expect(known.did.join("\n")).not.toMatch(/tee|curl/);
  });

  test("a step that fails ends its tool, not the others, and the exit status", () => {
    const { run } = machine({ fails: "^curl" });
    const { did, status, stdout, stderr } = run();
    expect(stderr).toContain("kubectl: not installed, see above.");
    // Without the key no source is added.
    expect(did.join("\n")).not.toContain("tee");
    expect(stdout).toMatch(/install-clis: here=3 installed=3 missing=1\n$/);
    expect(status).toBe(1);
  });

  test("k9s by choice; where apt has none it says where there is one", () => {
    const { status, stderr, stdout } = machine({ has: ALL }).run("--with-k9s");
    expect(stderr).toContain("https://k9scli.io/topics/install/");
    expect(stdout).toMatch(/here=4 installed=0 missing=1\n$/);
    expect(status).toBe(1);
    expect(machine({ has: ALL, manager: "brew" }).run("--with-k9s")).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^k9s +0\.50\.6 /m),
    });
  });

  test("on macOS links psql, which brew does not by itself", () => {
    const { did } = machine({
      manager: "brew",
      has: ["redis-cli", "rabbitmqadmin", "kubectl"],
    }).run();
    expect(did).toEqual(["brew install -q libpq", "brew link -q --force libpq"]);
  });

  test("uses sudo where it is not root, and says so where there is none", () => {
    const withSudo = machine({ user: "sudo", has: ALL.slice(1) }).run();
    expect(withSudo.did.slice(0, 2)).toEqual(["sudo apt-get", "apt-get update -qq"]);
    expect(withSudo.status).toBe(0);
    const { status, stderr } = machine({ user: "nobody", has: ALL.slice(1) }).run();
    expect(stderr).toContain("It needs root or sudo: apt-get update");
    expect(status).toBe(1);
  });

  test("without a package manager says what to do", () => {
    const { status, stderr } = machine({ manager: "none" }).run();
    expect(stderr).toContain("Neither apt nor brew is here");
    expect(status).toBe(1);
  });

  test("one that is here and does not run is told, and installed again", () => {
    const { run, bin } = machine({ has: ALL.slice(1) });
    writeFileSync(join(bin, "psql"), "#!/bin/sh\nexit 127\n", { mode: 0o755 });
    const { stdout, status } = run();
    expect(stdout).toMatch(/^psql +broken +\S+ does not say its version$/m);
    expect(stdout).toMatch(/installed=1 missing=0\n$/);
    expect(status).toBe(0);
  });

  test("refuses an unknown option", () => {
    expect(machine({}).run("--chekc")).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/--chekc is unknown/),
    });
  });

  const shellcheck = spawnSync("shellcheck", ["--version"]).status === 0;
  test.skipIf(!shellcheck)("shellcheck has nothing to say", () => {
    expect(spawnSync("shellcheck", [SCRIPT], { encoding: "utf8" }).stdout).toBe("");
  });
});
