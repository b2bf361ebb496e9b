# Sourced by ./check and ./demo: gets a fresh Debian or Ubuntu with git and Node.js to the point where Node can take over.
# Everything that is already there is left as it is.

say() { printf '%s\n' "$*" >&2; }
die() { say "$0: $*"; exit 1; }

need_node() {
  command -v node >/dev/null && command -v npm >/dev/null ||
    die "Node.js with npm is missing: install version 20, 22, 24 or later (https://nodejs.org, or: apt-get install nodejs npm)"
  node -e '
    const [major, minor] = process.versions.node.split(".").map(Number)
    process.exit((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 24 ? 0 : 1)' ||
    die "Node.js $(node --version) is not supported: install version 20.19, 22.12, 24 or later"
}

# npm ci begins by deleting node_modules, so only where what is installed differs from the lock file.
need_packages() {
  if ! node scripts/installed.mjs; then
    say "Installing the npm packages of package-lock.json ..."
    npm ci --no-audit --no-fund --loglevel=error >&2 || die "npm ci failed"
  fi
}

build() {
  local log
  log=$(npm run --silent build 2>&1) || { say "$log"; die "the build failed"; }
}

# The newest PostgreSQL on this machine: PGBIN, the PATH, or where Debian puts it.
find_postgres() {
  local candidate
  for candidate in "${PGBIN:-}" "$(dirname "$(command -v initdb 2>/dev/null || echo /nowhere/x)")" \
    $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -rn) $(ls -d /usr/pgsql-*/bin 2>/dev/null | sort -rV); do
    if [ -x "$candidate/initdb" ] && [ -x "$candidate/postgres" ] && [ -x "$candidate/pg_rewind" ]; then
      echo "$candidate"
      return 0
    fi
  done
  return 1
}

find_etcd() { command -v etcd 2>/dev/null; }

# need_servers [etcd]: sets and exports PGBIN, and ETCD if asked. Installs the distribution's packages where that is allowed.
need_servers() {
  local wanted=()
  find_postgres >/dev/null || wanted+=(postgresql)
  [ "${1:-}" != etcd ] || find_etcd >/dev/null || wanted+=(etcd-server)
  if [ ${#wanted[@]} -gt 0 ]; then
    install_packages "${wanted[@]}"
  fi
  PGBIN=$(find_postgres) || die "PostgreSQL's server programs are missing (initdb, postgres, pg_rewind); on Debian and Ubuntu: sudo apt-get install postgresql. Elsewhere set PGBIN to their folder"
  export PGBIN
  [ "${1:-}" = etcd ] || return 0
  ETCD=$(find_etcd) || die "etcd is missing; on Debian and Ubuntu: sudo apt-get install etcd-server"
  export ETCD
}

install_packages() {
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      as_root=(sudo)
    else
      die "missing: $*. Install with: sudo apt-get install $*"
    fi
  fi
  command -v apt-get >/dev/null || die "missing: $* (no apt-get here to install them with)"
  [ -z "${MATRIARCH_NO_INSTALL:-}" ] || die "missing: $*, and MATRIARCH_NO_INSTALL is set"
  say "Installing the distribution's packages: $* ..."
  # The packages would start a server each and create a database cluster of their own: not what somebody asked for
  # who runs a demo or a test.
  local policy=/usr/sbin/policy-rc.d created=/etc/postgresql-common/createcluster.d/matriarch.conf own_policy=
  "${as_root[@]}" mkdir -p "$(dirname "$created")"
  echo 'create_main_cluster = false' | "${as_root[@]}" tee "$created" >/dev/null
  if [ ! -e "$policy" ]; then
    own_policy=yes
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod +x "$policy"
  fi
  local log status=0
  log=$(
    export DEBIAN_FRONTEND=noninteractive
    { "${as_root[@]}" apt-get update && "${as_root[@]}" apt-get install -y --no-install-recommends "$@"; } 2>&1
  ) || status=$?
  [ -z "$own_policy" ] || "${as_root[@]}" rm -f "$policy"
  "${as_root[@]}" rm -f "$created"
  if [ $status -ne 0 ]; then
    say "$(printf '%s\n' "$log" | tail -n 15)"
    die "installing $* failed (see above); install them yourself and run $0 again"
  fi
}

# What some tests need beside the servers; they tell what they had to leave out for want of it.
want_test_tools() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ -z "${MATRIARCH_NO_INSTALL:-}" ] || return 0
  local wanted=()
  command -v etcdctl >/dev/null || wanted+=(etcd-client)
  command -v ip >/dev/null || wanted+=(iproute2)
  command -v nft >/dev/null || wanted+=(nftables)
  command -v zsh >/dev/null || wanted+=(zsh)
  command -v fish >/dev/null || wanted+=(fish)
  python3 -c 'import yaml' 2>/dev/null || wanted+=(python3-yaml)
  ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || wanted+=(libfaketime)
  [ ${#wanted[@]} -eq 0 ] || (install_packages "${wanted[@]}") || true
}

# PostgreSQL refuses to run as root: root's servers run as the user `postgres`, or as one made for the purpose.
need_server_user() {
  [ "$(id -u)" = 0 ] || return 0
  MATRIARCH_SERVER_USER=${MATRIARCH_SERVER_USER:-postgres}
  if ! id "$MATRIARCH_SERVER_USER" >/dev/null 2>&1; then
    MATRIARCH_SERVER_USER=matriarch-test
    id "$MATRIARCH_SERVER_USER" >/dev/null 2>&1 ||
      useradd --system --user-group --no-create-home --shell /usr/sbin/nologin "$MATRIARCH_SERVER_USER" ||
      die "PostgreSQL does not run as root, and the user $MATRIARCH_SERVER_USER could not be created"
  fi
  export MATRIARCH_SERVER_USER
}
