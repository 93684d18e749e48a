# Sourced by start.sh, test.sh and bench.sh: brings a fresh Debian or Ubuntu machine with Node to the point where the
# program can be built and run. As root it installs what is missing; otherwise it prints the command an administrator
# must run, and the caller goes on with what is there.
#
#   need_packages REASON PROGRAM=PACKAGE...   a program on PATH (or a file) and the Debian package that brings it
#   need_node_modules                         npm ci, when package-lock.json changed since the last one
#   need_build                                dist/

POLICY=/usr/sbin/policy-rc.d

say() { printf '%s\n' "upsync: $*" >&2; }

have() {
  case "$1" in
    nginx-lua) [ -n "$(nginx_lua)" ] ;;
    luajit) command -v luajit >/dev/null 2>&1 || command -v luajit2 >/dev/null 2>&1 ;;
    *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 ;;
  esac
}

# The Lua module is a dynamic module on Debian and Ubuntu, and compiled in for OpenResty.
nginx_lua() {
  for file in /usr/lib/nginx/modules/ngx_http_lua_module.so /usr/share/nginx/modules/ngx_http_lua_module.so; do
    [ -e "$file" ] && { echo "$file"; return; }
  done
  nginx=${UPSYNC_NGINX:-$(PATH="$PATH:/usr/sbin" command -v nginx || true)}
  [ -n "$nginx" ] && "$nginx" -V 2>&1 | grep -o -m1 'lua-nginx-module\|ngx_lua-[0-9.]*' || true
}

need_packages() {
  reason=$1
  shift
  missing=
  for pair in "$@"; do
    have "${pair%%=*}" || missing="$missing ${pair#*=}"
  done
  [ -n "$missing" ] || return 0
  if ! command -v apt-get >/dev/null 2>&1; then
    say "$reason needs$missing, and this is neither Debian nor Ubuntu: install them by your system's own means."
    return 1
  fi
  if [ "$(id -u)" != 0 ]; then
    say "$reason needs packages that only an administrator can install. Ask for:"
    say "    sudo apt-get update && sudo apt-get install -y$missing"
    return 1
  fi
  say "installing$missing ($reason) ..."
  apt_install $missing || { say "apt-get could not install$missing: its own words are above."; return 1; }
}

# Debian starts a service as soon as its package is installed, on port 80 at that. We want the program, not the service:
# policy-rc.d says no for the time of the installation, unless the administrator has one of his own.
apt_install() {
  ours=
  log=$(mktemp)
  # Ctrl-C ends everything, not only apt-get; what was written for it goes in any case.
  trap 'rm -f "$log" ${ours:+"$POLICY"}' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if [ ! -e "$POLICY" ]; then
    ours=1
    printf '#!/bin/sh\nexit 101\n' >"$POLICY" && chmod 755 "$POLICY"
  fi
  status=0
  apt-get update >"$log" 2>&1 || true
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(known_names "$@") >>"$log" 2>&1 || status=$?
  [ "$status" = 0 ] || tail -n 15 "$log" >&2
  rm -f "$log" ${ours:+"$POLICY"}
  trap - EXIT INT TERM
  return "$status"
}

# Older releases know LuaJIT by one name only.
known_names() {
  for name in "$@"; do
    case "$name" in luajit2) apt-cache show luajit2 >/dev/null 2>&1 || name=luajit ;; esac
    echo "$name"
  done
}

need_node() {
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' || {
    say "Node $(node --version) is too old: 20.19 or newer is needed."
    exit 1
  }
}

need_node_modules() {
  stamp=node_modules/.upsync-lock
  if [ -e "$stamp" ] && cmp -s package-lock.json "$stamp"; then return 0; fi
  say "installing npm packages (half a minute) ..."
  npm ci --no-audit --no-fund --loglevel=error >&2 || { say "npm ci failed: its own words are above."; exit 1; }
  cp package-lock.json "$stamp"
}

need_build() {
  node scripts/build.mjs || { say "the build failed: its own words are above."; exit 1; }
}
