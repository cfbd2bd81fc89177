# Every target does its own set-up: Node, the dependencies, and the services (see CONTRIBUTING).
# Needs GNU make 3.81 or newer.

.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
# Node's own binary and the tools of the repository come first.
export PATH := $(CURDIR)/.node:$(CURDIR)/node_modules/.bin:$(PATH)
# Variables reach the scripts through the environment, where no shell takes them apart.
export TIME_SCALE MAX_REPLICAS DURATION UNTIL_ZERO
export DATA SEED KEEP RIGHTS FAULTS HOURS JOBS KINDS BUGS SEEDS PARALLEL CONTROL NAME ACTION FILE EXAMPLE WAIT ID ALL LIMIT
export CODE TYPE SINCE
export ENGINE LOAD SUGGEST JSON DAYS TARGET_WAIT_S POD_START_S NODE_START_S FIGURES
export USD_PER_CPU_HOUR USD_PER_GIB_HOUR
export PRUNE ENV DRY_RUN JOBS_PER_DAY EXPLAIN
export TAG REGISTRY PUSH BUILD_FLAGS STARTS VERSION
export INSPECT REDO
export PLANE
# Node keeps what it compiled, and TypeScript that it stripped, so that a process starts in half the time.
export NODE_COMPILE_CACHE ?= $(CURDIR)/.node/cache
# A log is no terminal, though some tools colour what they write on CI.
ifneq ($(CI),)
export NO_COLOR := 1
endif

STAMP := node_modules/.installed
RUN := node
# With the URLs of the environment, of .env, or of the services that services-up keeps.
WITH_SERVICES := node scripts/author/services.ts with --

.PHONY: help setup node demo test check release trend bench simulate cost crash-test crash-test-selfcheck fleet dev worker example new-worker remove-worker contract handbook client \
	send test-connections compare-activities rules-check dead-letters replay topology migrate lint-manifests rights images pin-images sign-images verify-images try-image render deploy-dev deploy-staging stop-all resume \
	cluster-up cluster-down try-cluster \
	services-up services-down services-status format clean

help: ## Show this list
	@awk 'BEGIN { FS = ":[^#]*## " } /^[a-z][a-z-]*:.*## / { printf "  %-22s %s\n", $$1, $$2 }' Makefile

node:
	@sh scripts/setup/node.sh

$(STAMP): package-lock.json package.json | node
	@$(RUN) scripts/setup/dependencies.ts
	@touch $@

setup: node $(STAMP) ## Install Node and the dependencies where they are missing

demo: setup ## Replay a tracker's history through the fleet and prove the result [DATA=file] [SEED=s] [KEEP=1] [RIGHTS=0|1]
	@$(RUN) scripts/proof/demo.ts

test: setup ## Run all tests on real services
	@vitest run $(if $(TESTS),$(TESTS),--exclude scripts/proof/crash-test.test.ts)
# By itself: what it breaks on purpose must not meet what the other tests need of the machine.
	@$(if $(TESTS),,vitest run scripts/proof/crash-test.test.ts)

check: setup ## Format, lint, types, dead code, contract, manifests, cost, workflows, secrets, advisories: what CI checks
	@biome ci $(if $(CI),--colors=off) --error-on-warnings .
	@tsc -p .
	@knip
	@$(RUN) scripts/author/contract.ts --check
	@$(RUN) scripts/kubernetes/lint-manifests.ts
	@$(RUN) scripts/cost/cost.ts --check
	@$(RUN) scripts/ci/lint-workflows.ts
	@$(RUN) scripts/ci/scan-secrets.ts
	@$(RUN) scripts/ci/audit.ts

release: setup ## Move the changelog, bump, commit and tag: VERSION=0.2.0 [DRY_RUN=1]
	@$(call needs,VERSION)
	@$(RUN) scripts/release/release.ts

trend: setup ## Add the last bench and crash test to trend.ndjson of the branch trend, and compare [PUSH=1]
	@$(RUN) scripts/ci/trend.ts

lint-manifests: setup ## Check keda/ and manifests/ without a cluster: schemas, KEDA, our rules [JSON=1] [EXPLAIN=1]
	@$(RUN) scripts/kubernetes/lint-manifests.ts

bench: setup ## Measure the fleet beside other queues
	@$(RUN) scripts/bench/bench.ts

simulate: setup ## See what KEDA would do in virtual time [ENGINE=activities] [LOAD=1m|10m|100m|burst|outage|slow|file.csv] [SUGGEST=1] [JSON=1] [SEED=s]
	@$(RUN) scripts/scaling/simulate.ts

cost: setup ## What a month costs, expected and at worst, beside the budget [ENV=dev] [JOBS_PER_DAY=n] [JSON=1]
	@$(RUN) scripts/cost/cost.ts

crash-test: setup ## Break everything under load and count what is lost [FAULTS=n] [SEED=s] [HOURS=h] [KINDS=a,b]
	@$(RUN) scripts/proof/crash-test.ts

crash-test-selfcheck: setup ## Plant bugs and see that the crash test finds each [BUGS=a,b] [SEEDS=1,2,3]
	@$(RUN) scripts/proof/crash-test-selfcheck.ts

fleet: setup ## Run the fleet here, scaled from keda/*.yaml [TIME_SCALE=10] [MAX_REPLICAS=n] [DURATION=s] [UNTIL_ZERO=1]
	@$(RUN) scripts/scaling/fleet.ts

dev: setup ## Run all workers, reloaded on change, a line for each job [INSPECT=1] [REDO=1]
	@$(RUN) scripts/author/dev.ts

worker: setup ## Run one worker: NAME=activities
	@$(call needs,NAME)
	@$(RUN) scripts/author/worker.ts

new-worker: setup ## Scaffold a worker with its package and its tests: NAME=invoices
	@$(call needs,NAME)
	@$(RUN) scripts/author/new-worker.ts
	@$(RUN) scripts/author/handbook.ts

example: setup ## Run a file of docs/examples: NAME=tx
	@$(call needs,NAME)
	@$(RUN) scripts/author/example.ts

remove-worker: setup ## Take a worker out of the repository: NAME=invoices [FORCE=1]
	@$(call needs,NAME)
	@$(RUN) scripts/author/remove-worker.ts
	@$(RUN) scripts/author/handbook.ts

contract: setup ## Write docs/contract and the client's types anew from the schemas; [BASELINE=1] at a release: what callers may rely on
	@$(RUN) scripts/author/contract.ts $(if $(BASELINE),--baseline)

handbook: setup ## Write the handbook's parts that come from the code anew
	@$(RUN) scripts/author/handbook.ts

client: setup ## Pack the client for other repositories, into out/client
	@mkdir -p out/client
	@npm pack --silent --pack-destination out/client ./shared/client

send: setup ## Publish a job: NAME=activities ACTION=record FILE=job.json (- is stdin), or EXAMPLE=1 [WAIT=1]
	@$(call needs,NAME)
	@$(call needs,ACTION)
	@$(if $(EXAMPLE),,$(call needs,FILE))
	@$(WITH_SERVICES) node scripts/author/send.ts

compare-activities: setup ## Where the engine's entries differ from Plane's rows: PLANE=rows.ndjson ENGINE=entries.ndjson
	@$(call needs,PLANE)
	@$(call needs,ENGINE)
	@$(RUN) scripts/operate/compare-activities.ts

rules-check: setup ## What is wrong with rules of automations, and in which line: FILE=rules.json (or YAML; - is stdin)
	@$(call needs,FILE)
	@$(RUN) workers/automations/rules-check.ts

test-connections: setup ## Look whether every server is there and fit, with cause and next command [ENV=dev] [JSON=1]
	@sh scripts/test-connections.sh

dead-letters: setup ## Show jobs that ended without success, by code, and those for no engine [NAME=activities|unrouted] [LIMIT=n]
	@$(WITH_SERVICES) node scripts/operate/dead-letters.ts

replay: setup ## Run dead letters again: NAME=activities (or unrouted) with ID=job-id, CODE=rejected, TYPE=…, SINCE=2h, or ALL=1 [DRY_RUN=1]
	@$(call needs,NAME)
	@$(WITH_SERVICES) node scripts/operate/dead-letters.ts replay

topology: setup ## Declare the exchanges and queues, unbind what is gone; PRUNE=1 deletes it where it is empty
	@$(WITH_SERVICES) node scripts/operate/topology.ts

migrate: setup ## Migrate the database
	@$(WITH_SERVICES) node scripts/operate/migrate.ts

rights: setup ## Print the commands that make an engine's users: NAME=activities, NAME=tools, or NAME=tl-plane ROLE=publisher
	@$(call needs,NAME)
	@$(RUN) scripts/kubernetes/rights.ts

render: setup ## Print all Kubernetes objects of an environment [ENV=dev]
	@$(RUN) scripts/kubernetes/render.ts

deploy-dev: setup ## Show what differs, apply it, wait for it [DRY_RUN=1]
	@ENV=dev $(RUN) scripts/kubernetes/deploy.ts

deploy-staging: setup ## The same for staging [DRY_RUN=1]
	@ENV=staging $(RUN) scripts/kubernetes/deploy.ts

stop-all: setup ## Bring all engines to zero and keep them there [ENV=dev]
	@$(RUN) scripts/kubernetes/stop-all.ts

resume: setup ## Let KEDA scale again after stop-all [ENV=dev]
	@$(RUN) scripts/kubernetes/stop-all.ts resume

cluster-up: setup ## Make a cluster for tries with kind or k3d, with KEDA in it
	@$(RUN) scripts/kubernetes/cluster.ts up

cluster-down: setup ## Remove that cluster
	@$(RUN) scripts/kubernetes/cluster.ts down

try-cluster: setup ## Try an environment in a cluster: burst, killed pod, back to zero, all removed [ENV=dev] [JOBS=n] [REGISTRY=…] [TAG=…] [KEEP=1]
	@$(RUN) scripts/kubernetes/try-cluster.ts

services-up: setup ## Start RabbitMQ, Postgres and Redis, and keep them between runs
	@$(RUN) scripts/author/services.ts up

services-down: setup ## End the kept services and remove their data
	@$(RUN) scripts/author/services.ts down

services-status: setup ## Say whether they run, and where
	@$(RUN) scripts/author/services.ts status

images: setup ## Build the image of each engine and of the tools, and check what is inside [NAME=…] [TAG=…] [REGISTRY=…] [PUSH=1]
	@$(RUN) scripts/images/images.ts

pin-images: setup ## Write digests beside tags: the Dockerfile's base, or what an environment runs [ENV=dev] [TAG=…] [NAME=…]
	@$(RUN) scripts/images/pin-images.ts

sign-images: setup ## Sign what `make images PUSH=1` pushed and attest its SBOM, without a key: on GitHub
	@$(RUN) scripts/images/sign-images.ts

verify-images: setup ## Ask whether our release workflow signed each image of an environment: ENV=dev
	@$(call needs,ENV)
	@$(RUN) scripts/images/verify-images.ts

try-image: setup ## Run an engine's image on real services: jobs, replies, drain, cold start: NAME=activities [TAG=…]
	@$(call needs,NAME)
	@$(RUN) scripts/images/try-image.ts

format: setup ## Format and fix what can be fixed
	@biome check --write .

clean: ## Remove what was built and installed; kept services end first
	@if [ -e .services/kept.json ]; then $(MAKE) services-down; fi
	@rm -rf out coverage node_modules .node */node_modules */*/node_modules
	@rmdir .services 2>/dev/null || true

# $(call needs,NAME): fails with the usage when the variable is empty.
needs = if [ -z "$$$(1)" ]; then echo "$(1)=… is missing; see \`make help\`." >&2; exit 2; fi
