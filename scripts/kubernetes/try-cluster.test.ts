/** `make try-cluster` against a stand-in for the cluster: real jobs, real workers, broken ways, and what it refuses. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { removeFleet } from "../../shared/services/remove-fleet.ts";
import { openTestFleet, type TestFleet } from "../../shared/testing/fleet.ts";
import { REPOSITORY } from "../repository.ts";
import { loadWorkers } from "../workers.ts";
import type { Answer } from "./deploy/testing/fake-kubectl.ts";
import { type StandIn, startStandIn } from "./try-cluster/testing/stand-in.ts";

let fleet: TestFleet;
let standIn: StandIn | undefined;
/** Names of the tries that there were. */
const runs: string[] = [];

beforeAll(async () => {
  const workers = await loadWorkers();
  fleet = await openTestFleet(
    workers.map(({ definition }) => definition),
    workers.map(({ folder }) => folder),
  );
}, 120_000);
afterEach(async () => {
  await standIn?.close();
  standIn = undefined;
});
afterAll(async () => {
  await fleet.close();
  // Each try's work items are in a workspace of its own.
  const { AMQP_URL = "", DATABASE_URL = "", REDIS_URL = "" } = process.env;
  const urls = { AMQP_URL, DATABASE_URL, REDIS_URL };
  await removeFleet({ urls, prefix: fleet.config.ENGINE_PREFIX, engines: [], workspaces: runs });
}, 60_000);

interface Running {
  standIn: StandIn;
  interrupt(): void;
  ended: Promise<{ status: number | null; stdout: string; stderr: string }>;
}

async function start(
  answers: Answer[] = [],
  env: Record<string, string> = {},
  change: (standIn: StandIn) => void = () => {},
): Promise<Running> {
  const started = await startStandIn({ prefix: fleet.config.ENGINE_PREFIX, answers });
  standIn = started;
  change(started);
  const child = spawn(process.execPath, ["scripts/kubernetes/try-cluster.ts"], {
    cwd: REPOSITORY,
    env: { ...process.env, ENV: "dev", ...started.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]).then(
    ([stdout, stderr, [status]]) => {
      runs.push(...(/(?<=, run )try-\w+/.exec(stderr) ?? []));
      return { status, stdout, stderr };
    },
  );
  return { standIn: started, interrupt: () => child.kill("SIGINT"), ended };
}

const lastLine = (written: string) => written.trimEnd().split("\n").at(-1);
const doneJobs = async () => {
  const { rows } = await fleet.pool.query(
    "select count(*)::int as count from engine.results where engine = 'activities' and starts_with(job_id, $1)",
    [`${fleet.config.ENGINE_PREFIX}-try-`],
  );
  return rows[0].count as number;
};

test("a burst is worked off through a broken way and a killed pod, and nothing stays", async () => {
  const { standIn, ended } = await start([], { JOBS: "4000" });
  await fleet.until("the first jobs", async () => (await doneJobs()) > 0 || undefined, 90_000);
  for (const service of ["rabbitmq", "postgres"]) standIn.breakForwards(service);
  const { status, stdout, stderr } = await ended;
  expect(stderr).toContain("The port-forward to rabbitmq broke; it is opened again.");
  expect(stderr).toContain("Left out: CronJob, ExternalSecret, PodMonitor.");
  expect(lastLine(stdout)).toMatch(
    /^try-cluster: jobs=4000 lost=0 doubled=0 peak_replicas=[12] zero_after_s=\d+ simulated_zero_after_s=\d+$/,
  );
  expect(status).toBe(0);
  expect(standIn.state.killedPods).toEqual([expect.stringMatching(/^activities-/)]);
  expect(standIn.state.objects.size).toBe(0);
  expect(stdout).toMatch(/ s {2}activities 1\/1/);
}, 240_000);

test("a job whose result is gone is lost, and says so", async () => {
  const { ended } = await start([], { JOBS: "300" });
  const prefix = `${fleet.config.ENGINE_PREFIX}-try-`;
  const before = await doneJobs();
  const isDone = async () => (await doneJobs()) - before >= 300 || undefined;
  await fleet.until("all jobs", isDone, 120_000);
  await fleet.pool.query(
    "delete from engine.results where engine = 'activities' and job_id = (select job_id from engine.results where engine = 'activities' and starts_with(job_id, $1) order by finished_at desc limit 1)",
    [prefix],
  );
  const { status, stdout } = await ended;
  expect(lastLine(stdout)).toMatch(/^try-cluster: jobs=300 lost=1 /);
  expect(stdout).toMatch(/lost: \S+ has no result/);
  expect(status).toBe(1);
}, 240_000);

test("Ctrl-C in the middle removes what was made", async () => {
  const { standIn, interrupt, ended } = await start([], {}, ({ state }) => {
    state.jobsEnd = false;
  });
  await fleet.until(
    "the Job",
    async () => standIn.asked.some((it) => it.startsWith("get job")) || undefined,
    60_000,
  );
  expect(standIn.state.names("Namespace")).toEqual(["tl-engine-dev"]);
  interrupt();
  const { status, stderr } = await ended;
  expect(stderr).toContain("Waiting for the Job tl-engine-setup, 300 s at most");
  expect(stderr).toContain("Ended by SIGINT.");
  expect(status).toBe(130);
  expect(standIn.state.objects.size).toBe(0);
}, 90_000);

test("no password is on a command line, in the output, or in what is left", async () => {
  const { standIn, interrupt, ended } = await start([], {}, ({ state }) => {
    state.jobsEnd = false;
  });
  await fleet.until(
    "the Secrets",
    async () => standIn.state.objects.has("Secret/activities") || undefined,
    60_000,
  );
  const secret = standIn.state.objects.get("Secret/try-services")?.value as {
    stringData: Record<string, string>;
  };
  const { amqpPassword, postgresPassword, redisPassword } = secret.stringData;
  const passwords = [amqpPassword, postgresPassword, redisPassword];
  interrupt();
  const { stdout, stderr } = await ended;
  for (const password of passwords) {
    expect(password).toMatch(/^[0-9a-f]{48}$/);
    expect(`${standIn.asked.join("\n")}${stdout}${stderr}`).not.toContain(password);
  }
  expect(new Set(passwords).size).toBe(3);
}, 90_000);

const NO_IMAGE = JSON.stringify({
  items: [
    {
      metadata: { name: "rabbitmq-1" },
      status: {
        containerStatuses: [
          {
            name: "rabbitmq",
            state: { waiting: { reason: "ImagePullBackOff", message: "denied" } },
          },
        ],
      },
    },
  ],
});
/** Its Deployments are never ready. */
const NOTHING_READY: Answer = {
  to: "^get deployments.apps -o json",
  stdout: JSON.stringify({ items: [] }),
};

test("an image that can't be pulled is told with what to do, and all is removed", async () => {
  const { standIn, ended } = await start([{ to: "^get pods", stdout: NO_IMAGE }, NOTHING_READY]);
  const { status, stderr } = await ended;
  expect(stderr).toContain(
    "has not got the image of the pod rabbitmq-1 (ImagePullBackOff): denied",
  );
  expect(stderr).toContain("REGISTRY=… TAG=… make try-cluster");
  expect(status).toBe(1);
  expect(standIn.state.objects.size).toBe(0);
}, 60_000);

test("KEEP=1 leaves what a failure came to, and says how to look", async () => {
  const answers = [{ to: "^get pods", stdout: NO_IMAGE }, NOTHING_READY];
  const { standIn, ended } = await start(answers, { KEEP: "1" });
  const { stderr } = await ended;
  expect(stderr).toContain(
    "Kept. Look: kubectl --context=tl-engine-dev -n tl-engine-dev get scaledobjects,deployments,pods",
  );
  expect(standIn.state.names("Namespace")).toEqual(["tl-engine-dev"]);
  expect(standIn.asked.filter((it) => it.startsWith("delete"))).toEqual([]);
}, 60_000);

test("what can't be removed is told with the command", async () => {
  const { ended } = await start([
    { to: "^get pods", stdout: NO_IMAGE },
    NOTHING_READY,
    { to: "^delete namespace", status: 1, stderr: "the server is currently unable" },
  ]);
  const { status, stderr } = await ended;
  expect(stderr).toContain("the server is currently unable");
  expect(stderr).toContain(
    "Remove it: kubectl --context=tl-engine-dev delete namespace tl-engine-dev",
  );
  expect(status).toBe(1);
}, 60_000);

describe("it refuses, and makes nothing,", () => {
  const refused = async (
    answers: Answer[],
    env: Record<string, string> = {},
    change?: (standIn: StandIn) => void,
  ) => {
    const { standIn, ended } = await start(answers, env, change);
    const { status, stderr, stdout } = await ended;
    expect(stdout).toBe("");
    expect(status).toBe(2);
    expect(standIn.asked.filter((it) => /^(create|apply|delete)/.test(it))).toEqual([]);
    return stderr;
  };

  test("without kubectl", async () => {
    expect(await refused([], { PATH: "/nowhere" })).toContain("kubectl is not installed");
  });

  test("a context that the overlay does not name", async () => {
    const stderr = await refused([], {}, ({ state }) => {
      state.context = "prod-eu";
    });
    expect(stderr).toContain("the context prod-eu");
    expect(stderr).toContain("make cluster-up");
  });

  test("staging, whatever the context", async () => {
    const stderr = await refused([], { ENV: "staging" }, ({ state }) => {
      state.context = "tl-engine-staging";
    });
    expect(stderr).toContain("staging allows no tries");
  });

  test("a cluster without KEDA", async () => {
    const stderr = await refused([{ to: "^get crd", stdout: "" }]);
    expect(stderr).toContain("has no KEDA (no CRD scaledobjects.keda.sh)");
  });

  test("a CRD of another version", async () => {
    const versions = [{ name: "v2", served: true }];
    const answer = { to: "^get crd", stdout: JSON.stringify({ spec: { versions } }) };
    expect(await refused([answer])).toContain("serves v2, and keda/*.yaml is written in v1alpha1");
  });

  test("a KEDA that is too old", async () => {
    const stderr = await refused([], {}, ({ state }) => {
      state.kedaVersion = "2.9.3";
    });
    expect(stderr).toContain("KEDA 2.9.3 is older than 2.20.0");
  });

  test("a KEDA whose metrics are not served", async () => {
    expect(await refused([{ to: "^get apiservice", stdout: "" }])).toContain("past one replica");
  });

  test("a namespace that no try made", async () => {
    const answer = { to: "^get namespace tl-engine-dev", stdout: "tl-engine-dev Active 3d a=b\n" };
    expect(await refused([answer])).toContain("a namespace tl-engine-dev that no try made");
  });

  test("the namespace of a try that was kept", async () => {
    const stdout = "tl-engine-dev Active 3d tl-engine/only-for=tries\n";
    const stderr = await refused([{ to: "^get namespace tl-engine-dev", stdout }]);
    expect(stderr).toContain("delete namespace tl-engine-dev");
  });

  test("options that can't be used, all in one message", async () => {
    const stderr = await refused([], { JOBS: "many", TAG: "latest", REGISTRY: "https://x" });
    for (const name of ["JOBS=many", "TAG=latest", "REGISTRY=https://x"])
      expect(stderr).toContain(name);
  });

  test("a kind cluster without the images, with the command that builds them", async () => {
    const stderr = await refused([], {}, ({ state }) => {
      state.context = "kind-tl-engine";
    });
    expect(stderr).toContain("make images REGISTRY=ghcr.io/tiendaleon TAG=0.1.0");
  });
});
