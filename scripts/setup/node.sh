#!/bin/sh
# Makes sure of a Node that runs TypeScript natively: the system's if it is new enough, or else one
# of our own in .node/, which the Makefile puts first on PATH. Does nothing when it is there.
set -eu
cd "$(dirname "$0")/../.."
wanted=$(cat .node-version)

new_enough() {
  major=$("$1" --version 2>/dev/null | sed 's/^v//; s/\..*//')
  [ "${major:-0}" -ge "$wanted" ]
}

if [ -e .node/node ]; then
  if new_enough .node/node; then exit 0; fi
  rm -f .node/node # Broken or outdated: on PATH it would hide the system's.
fi
if new_enough node; then exit 0; fi

case $(uname -s) in
  Linux) os=linux ;;
  Darwin) os=darwin ;;
  *) os= ;;
esac
case $(uname -m) in
  x86_64 | amd64) arch=x64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) arch= ;;
esac
release=scripts/setup/node-releases/$os-$arch
if [ ! -d "$release" ] || ! command -v npm >/dev/null; then
  echo "Node $wanted or newer is needed: install it from https://nodejs.org and run this again." >&2
  exit 1
fi

# The packages node-<os>-<arch> hold Node's own binary, and npm is how any machine with a Node gets one.
package=node-$os-$arch
echo "Node $wanted is missing here: installing it into .node/ …" >&2
mkdir -p .node
# The release and its sha512 are the lock file's: npm refuses any other bytes.
cp "$release/package.json" "$release/package-lock.json" .node/
if ! log=$(npm ci --prefix .node --ignore-scripts --no-audit --no-fund --loglevel=error 2>&1); then
  echo "$log" >&2
  echo "Installing Node failed. Install Node $wanted from https://nodejs.org and run this again." >&2
  exit 1
fi
ln -s "node_modules/$package/bin/node" .node/node
if ! new_enough .node/node; then
  echo "The Node of $package does not run on this machine: install Node $wanted from https://nodejs.org." >&2
  rm -f .node/node
  exit 1
fi
