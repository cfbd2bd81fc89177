/** kind, k3d and docker, stood in for: what is asked of them, and what is said where one is missing or fails. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { REPOSITORY } from "../../repository.ts";
import { loadImages, loadsImages } from "./load-images.ts";

let folder: string;
const path = process.env.PATH;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tl-tools-"));
});
afterEach(() => {
  process.env.PATH = path;
  rmSync(folder, { recursive: true });
});

/** A program that writes down its arguments. @param body of a shell script, after that. */
function tool(name: string, body = "exit 0"): void {
  writeFileSync(`${folder}/${name}`, `#!/bin/sh\necho "${name} $*" >>'${folder}/asked'\n${body}\n`);
  chmodSync(`${folder}/${name}`, 0o755);
}
const asked = () =>
  existsSync(`${folder}/asked`)
    ? readFileSync(`${folder}/asked`, "utf8").trimEnd().split("\n")
    : [];
function cluster(way: "up" | "down") {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["scripts/kubernetes/cluster.ts", way],
    // Only the tools of this test are there, and what a shell script needs.
    { cwd: REPOSITORY, encoding: "utf8", env: { ...process.env, PATH: `${folder}:/bin` } },
  );
  return { status, stdout, stderr };
}

describe("make cluster-up", () => {
  test("makes a kind cluster with KEDA, and points kubectl to it", () => {
    for (const name of ["docker", "kind", "kubectl"]) tool(name);
    const { status, stdout, stderr } = cluster("up");
    expect(status).toBe(0);
    expect(asked().filter((line) => !/ (version|get clusters)/.test(line))).toEqual([
      "kind create cluster --name tl-engine --wait 120s",
      "kubectl --context=kind-tl-engine apply --server-side --force-conflicts -f https://github.com/kedacore/keda/releases/download/v2.20.0/keda-2.20.0.yaml",
      "kubectl --context=kind-tl-engine -n keda wait --for=condition=Available deployments.apps --all --timeout=300s",
      "kubectl --context=kind-tl-engine config use-context kind-tl-engine",
    ]);
    expect(stderr).toContain("Next: make images");
    expect(stdout).toBe("cluster-up: tool=kind context=kind-tl-engine keda=2.20.0\n");
  });

  test("leaves a cluster that is there", () => {
    for (const name of ["docker", "kubectl"]) tool(name);
    tool("kind", "echo tl-engine");
    const { status, stderr } = cluster("up");
    expect(status).toBe(0);
    expect(stderr).toContain("is there already");
    expect(asked().join("\n")).not.toContain("create cluster");
  });

  test("takes k3d where there is no kind", () => {
    for (const name of ["docker", "k3d", "kubectl"]) tool(name);
    expect(cluster("up").stdout).toContain("tool=k3d context=k3d-tl-engine");
  });

  test("names all that is missing", () => {
    for (const name of ["docker", "kind", "k3d", "kubectl"]) tool(name, "exit 1");
    const { status, stderr } = cluster("up");
    expect(status).toBe(2);
    for (const name of ["Docker daemon", "kind (https", "kubectl (https"])
      expect(stderr).toContain(name);
  });

  test("says which step failed", () => {
    for (const name of ["docker", "kind"]) tool(name);
    tool("kubectl", 'case "$*" in *apply*) echo "no route to host" >&2; exit 1;; esac');
    const { status, stderr, stdout } = cluster("up");
    expect(status).toBe(1);
    expect(stderr).toContain("no route to host");
    expect(stderr).toContain("Installing KEDA 2.20.0 failed: kubectl ended with 1");
    expect(stdout).toBe("");
  });
});

describe("make cluster-down", () => {
  test("removes the cluster, and twice in a row is fine", () => {
    tool(
      "kind",
      `[ -e '${folder}/gone' ] || echo tl-engine; [ "$1" = delete ] && touch '${folder}/gone'; exit 0`,
    );
    expect(cluster("down").stdout).toBe("cluster-down: removed=kind-tl-engine\n");
    expect(asked()).toContain("kind delete cluster --name tl-engine");
    expect(cluster("down").stdout).toBe("cluster-down: removed=none\n");
  });
});

describe("images", () => {
  const IMAGES = [
    "ghcr.io/tiendaleon/tl-engine-activities:0.1.0",
    "ghcr.io/tiendaleon/tl-engine-tools:0.1.0",
  ];
  const load = (context: string) => {
    process.env.PATH = `${folder}:${path}`;
    loadImages(context, IMAGES);
  };

  test("are loaded into kind and k3d, and pulled by any other cluster or from a registry that is named", () => {
    expect(loadsImages("kind-tl-engine", undefined)).toBe(true);
    expect(loadsImages("k3d-tl-engine", undefined)).toBe(true);
    expect(loadsImages("kind-tl-engine", "localhost:5000")).toBe(false);
    expect(loadsImages("tl-engine-dev", undefined)).toBe(false);
  });

  test("go to the cluster of the context, by its tool's command", () => {
    for (const name of ["docker", "kind", "k3d"]) tool(name);
    load("kind-tl-engine");
    load("k3d-tl-engine");
    expect(asked().filter((line) => !line.startsWith("docker"))).toEqual([
      `kind load docker-image ${IMAGES.join(" ")} --name tl-engine`,
      `k3d image import ${IMAGES.join(" ")} -c tl-engine`,
    ]);
  });

  test("that were not built are named, with the command", () => {
    tool("docker", "exit 1");
    expect(() => load("kind-tl-engine")).toThrow(
      /There is no image \S+activities:0\.1\.0 here\. Build them: make images REGISTRY=ghcr\.io\/tiendaleon TAG=0\.1\.0/,
    );
  });

  test("that the tool does not load are told in its words", () => {
    tool("docker");
    tool("kind", 'echo "no nodes found for cluster" >&2; exit 1');
    expect(() => load("kind-tl-engine")).toThrow("no nodes found for cluster");
  });
});
