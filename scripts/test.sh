#!/bin/sh
# npm test: from a bare clone to every test (see CONTRIBUTING.md). Arguments go to scripts/test.mjs.
# UPSYNC_REQUIRE=all (CI) turns what could not be installed into a failure instead of a smaller run.
set -eu
cd "$(dirname "$0")/.."
. scripts/setup.sh

# Other releases of nginx are tried in roots of their own, which takes minutes the first time.
roots=
[ "${UPSYNC_REQUIRE:-}" != all ] || roots="debootstrap=debootstrap wget=wget"

need_node
need_packages "the test suite" nginx=nginx nginx-lua=libnginx-mod-http-lua luajit=luajit2 redis-server=redis-server \
  etcd=etcd-server wrk=wrk dig=dnsutils curl=curl ps=procps git=git openssl=openssl $roots || {
  [ "${UPSYNC_REQUIRE:-}" != all ] || exit 1
  say "going on with the tests that need none of them."
}
need_node_modules
need_build
exec node scripts/test.mjs "$@"
