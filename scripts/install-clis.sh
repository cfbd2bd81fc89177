#!/bin/sh
# Says which of the command-line clients of our services are here, with their versions, and installs the others with apt
# or brew: psql, redis-cli, rabbitmqadmin, kubectl, and k9s where it is asked for. Where all are here it does nothing.
set -eu

usage() {
  cat <<'END'
usage: scripts/install-clis.sh [--check] [--with-k9s]
  --check      only says what is here; exit status 1 if something is missing
  --with-k9s   k9s, too
END
}

# Good for servers one minor version older or newer: https://kubernetes.io/releases/version-skew-policy/#kubectl
KUBERNETES_MINOR=1.36

check=
tools="psql redis-cli rabbitmqadmin kubectl"
for argument; do
  case $argument in
    --check) check=1 ;;
    --with-k9s) tools="$tools k9s" ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      echo "$argument is unknown." >&2
      usage >&2
      exit 2
      ;;
  esac
done

# The version that a tool says it has; nothing if it is not here or does not run.
version_of() {
  case $1 in
    kubectl) said=$(kubectl version --client 2>/dev/null) ;;
    k9s) said=$(k9s version --short 2>/dev/null) ;;
    *) said=$("$1" --version 2>/dev/null) ;;
  esac || return 0
  echo "$said" | sed -n 's/^[^0-9]*\([0-9][0-9]*\.[0-9][0-9.]*\).*/\1/p' | head -n 1
}

show() {
  version=$(version_of "$1")
  if [ -n "$version" ]; then
    printf '%-14s %-10s %s\n' "$1" "$version" "$(command -v "$1")"
  elif command -v "$1" >/dev/null; then
    printf '%-14s %-10s %s\n' "$1" "broken" "$(command -v "$1") does not say its version"
  else
    printf '%-14s %s\n' "$1" "missing"
  fi
}

# Those of the arguments that are not here or do not run.
missing_of() {
  for tool; do
    [ -n "$(version_of "$tool")" ] || printf '%s ' "$tool"
  done
}

count() { echo $#; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "It needs root or sudo: $*" >&2
    return 1
  fi
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Whether apt can install a package.
apt_has() {
  LC_ALL=C apt-cache policy "$1" 2>/dev/null | grep -q '^  Candidate: [0-9]'
}

# Debian's own is years behind and Ubuntu has none, so it is Kubernetes' package, whose index apt checks with their key.
apt_kubectl() {
  if ! apt_has kubectl; then
    url=https://pkgs.k8s.io/core:/stable:/v$KUBERNETES_MINOR/deb
    echo "Adding the package source $url …" >&2
    apt_install ca-certificates curl
    as_root mkdir -p /etc/apt/keyrings
    as_root curl -fsSL --proto =https -o /etc/apt/keyrings/kubernetes.asc "$url/Release.key"
    as_root chmod 644 /etc/apt/keyrings/kubernetes.asc
    echo "deb [signed-by=/etc/apt/keyrings/kubernetes.asc] $url/ /" |
      as_root tee /etc/apt/sources.list.d/kubernetes.list >/dev/null
    as_root apt-get update -qq
  fi
  apt_install kubectl
}

# A script in the broker's package. It is taken out, since installing that package starts a broker.
apt_rabbitmqadmin() (
  apt_install python3
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  cd "$folder"
  apt-get download -qq rabbitmq-server >/dev/null
  dpkg-deb -x rabbitmq-server_*.deb files
  script=$(find files -type f -name rabbitmqadmin | head -n 1)
  if [ -z "$script" ]; then
    echo "The package rabbitmq-server has no rabbitmqadmin; a broker serves it at http://…:15672/cli/rabbitmqadmin." >&2
    return 1
  fi
  as_root install -m 755 "$script" /usr/local/bin/rabbitmqadmin
)

apt_k9s() {
  if apt_has k9s; then
    apt_install k9s
  else
    echo "apt has no k9s: https://k9scli.io/topics/install/ says how to get it." >&2
    return 1
  fi
}

with_apt() {
  case $1 in
    psql) apt_install postgresql-client ;;
    redis-cli) apt_install redis-tools ;;
    rabbitmqadmin) apt_rabbitmqadmin ;;
    kubectl) apt_kubectl ;;
    k9s) apt_k9s ;;
  esac
}

# brew starts no server that it installs.
with_brew() {
  case $1 in
    psql) brew install -q libpq >/dev/null && brew link -q --force libpq >/dev/null ;;
    redis-cli) brew install -q redis >/dev/null ;;
    rabbitmqadmin) brew install -q rabbitmq >/dev/null ;;
    kubectl) brew install -q kubernetes-cli >/dev/null ;;
    k9s) brew install -q k9s >/dev/null ;;
  esac
}

# shellcheck disable=SC2086 # A list of words.
missing=$(missing_of $tools)
for tool in $tools; do show "$tool"; done

installed=0
if [ -n "$missing" ] && [ -z "$check" ]; then
  if [ "$(uname -s)" != Darwin ] && command -v apt-get >/dev/null; then
    manager=apt
    as_root apt-get update -qq
  elif command -v brew >/dev/null; then
    manager=brew
  else
    echo "Neither apt nor brew is here: install brew (https://brew.sh), or these by hand: $missing" >&2
    exit 1
  fi
  for tool in $missing; do
    echo "Installing $tool with $manager …" >&2
    # One that fails does not keep the others away; `if` around it would let its own steps go on after one fails.
    set +e
    (
      set -e
      "with_$manager" "$tool"
    )
    status=$?
    set -e
    if [ "$status" -eq 0 ] && [ -n "$(version_of "$tool")" ]; then
      installed=$((installed + 1))
      show "$tool"
    else
      echo "$tool: not installed, see above." >&2
    fi
  done
  # shellcheck disable=SC2086
  missing=$(missing_of $tools)
fi

# shellcheck disable=SC2086
still=$(count $missing)
# shellcheck disable=SC2086
echo "install-clis: here=$(($(count $tools) - still)) installed=$installed missing=$still"
[ "$still" -eq 0 ]
