#!/bin/sh
# chroot-nginx.sh SUITE DIR: the nginx of another Debian suite (trixie: 1.26, forky: 1.30) with its Lua module, to test
# with. Makes DIR/root with debootstrap unless it is there, and prints the path of DIR/bin/nginx, a program that runs the
# nginx of that root on the files of this machine: in a mount namespace of its own, the root's /usr lies over ours.
# Needs root, debootstrap and a Debian mirror: the first of apt's own sources that has the suite, or UPSYNC_DEBIAN_MIRROR.
set -eu

say() { printf '%s\n' "upsync: $*" >&2; }
fail() { say "$*"; exit 1; }

[ $# = 2 ] || { say "usage: scripts/chroot-nginx.sh SUITE DIR"; exit 2; }
suite=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
PATH="$PATH:/usr/sbin:/sbin"

[ "$(id -u)" = 0 ] || fail "only root can run the nginx of another suite (mount namespace)"
# Where /lib is a folder of its own, putting another /usr over ours does not bring the right libraries.
[ -L /lib ] || fail "this machine has /lib apart from /usr: no nginx of another suite can be run on it"
unshare --mount true 2>/dev/null || fail "mount namespaces are not allowed here: no nginx of another suite can be run"

mirrors() {
  [ -z "${UPSYNC_DEBIAN_MIRROR:-}" ] || { echo "$UPSYNC_DEBIAN_MIRROR"; return; }
  sed 's/#.*//' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    grep -oE 'https?://[^] ]+' | awk '!seen[$0]++'
}

mirror_with() {
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  [ -z "${proxy:-}" ] || export http_proxy="$proxy"
  for mirror in $(mirrors); do
    wget -q --timeout=20 --tries=2 --spider "${mirror%/}/dists/$1/InRelease" && { echo "$mirror"; return; }
  done
  return 1
}

make_root() {
  command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"
  mirror=$(mirror_with "$suite") || fail "none of apt's sources has the suite $suite: name one with UPSYNC_DEBIAN_MIRROR"
  # This debootstrap may be older than the suite; every suite is made as sid is.
  script=/usr/share/debootstrap/scripts/$suite
  [ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
  rm -rf "$dir/root.part"
  say "making $dir/root with the nginx of $suite (a minute, once) ..."
  debootstrap --variant=minbase --include=nginx,libnginx-mod-http-lua "$suite" "$dir/root.part" "$mirror" "$script" \
    >"$dir/log" 2>&1 || { tail -n 15 "$dir/log" >&2; fail "debootstrap failed: its own words are above and in $dir/log"; }
  rm -rf "$dir/root.part/var/cache/apt" "$dir/root.part/var/lib/apt/lists"
  mv "$dir/root.part" "$dir/root"
}

# Two test runs at a time must not make one root.
exec 9>"$dir/lock"
flock 9
[ -x "$dir/root/usr/sbin/nginx" ] || make_root
mkdir -p "$dir/bin"
# exec all the way, so that the pid and the signals are nginx's own.
cat >"$dir/bin/nginx.part" <<WRAPPER
#!/bin/sh
exec unshare --mount --propagation private -- \\
  sh -c 'mount --bind "\$0" /usr && exec /usr/sbin/nginx "\$@"' '$dir/root/usr' "\$@"
WRAPPER
chmod 755 "$dir/bin/nginx.part"
mv "$dir/bin/nginx.part" "$dir/bin/nginx"
"$dir/bin/nginx" -v 2>/dev/null || { "$dir/bin/nginx" -v || true; fail "the nginx of $suite does not run here"; }
echo "$dir/bin/nginx"
