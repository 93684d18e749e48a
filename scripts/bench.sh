#!/bin/sh
# npm run bench [-- NAME ...]: measures this machine (see bench/README.md).
set -eu
cd "$(dirname "$0")/.."
. scripts/setup.sh

need_node
need_packages "the benchmark" nginx=nginx nginx-lua=libnginx-mod-http-lua luajit=luajit2 wrk=wrk dnsmasq=dnsmasq-base || exit 1
need_node_modules
need_build
exec node bench/main.mjs "$@"
