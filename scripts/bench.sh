#!/bin/sh
# npm run bench [-- NAME ...]: measures this machine (see bench/README.md).
set -eu
cd "$(dirname "$0")/.."
. scripts/setup.sh

need_node
need_packages "the benchmark" nginx=nginx nginx-lua=libnginx-mod-http-lua luajit=luajit2 wrk=wrk dnsmasq=dnsmasq-base || exit 1
need_node_modules
need_build
node node_modules/typescript/bin/tsc -p tsconfig.bench.json --tsBuildInfoFile .cache/bench/.tsbuildinfo
exec node .cache/bench/bench/main.js "$@"
