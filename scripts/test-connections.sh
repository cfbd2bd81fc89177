#!/bin/sh
# The doctor, as `make test-connections` runs it: [--json], and ENV=dev in the environment for its cluster. Run by
# itself it ends with 0, 1 or 2 as the handbook says; make turns every failure into its own 2.
set -eu
cd "$(dirname "$0")/.."
make -s setup >&2
PATH="$PWD/.node:$PWD/node_modules/.bin:$PATH"
export PATH
exec node scripts/author/services.ts with -- node scripts/operate/doctor.ts "$@"
