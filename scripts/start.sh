#!/bin/sh
# npm start: from a bare clone to a running tour of the main job (see README.md).
set -eu
cd "$(dirname "$0")/.."
. scripts/setup.sh

need_node
need_packages "the tour" nginx=nginx nginx-lua=libnginx-mod-http-lua curl=curl || say "going on without."
need_node_modules
need_build
# exec: Ctrl-C and the exit code belong to the tour itself.
exec node dist/sidecar/main.js demo "$@"
