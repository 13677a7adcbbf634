#!/bin/bash
# Builds the nodes' image once for this machine, so that a class can then build its labs in seconds and with no network.
#   sudo ./warmup.sh
# The image is named by a hash of its recipe and published by a rename: it is whole, or it is not there.
set -euo pipefail
umask 022
here="$(cd "$(dirname "$0")" && pwd)"

# The inventory is the one place where these are written; the environment goes first (Ansible sets it).
variable() { sed -nE "s/^    $1: *\"?([^\"#]*[^\"# ])\"? *(#.*)?\$/\1/p" "$here/inventory.yml"; }
STATE="${STATE:-$(variable state)}"
suite="${DEBIAN_SUITE:-$(variable debian_suite)}"
mirror="${APT_MIRROR:-$(variable apt_mirror)}"
source="${APT_SOURCE:-$(variable apt_source)}"
export POSTGRES_VERSION="${POSTGRES_VERSION:-$(variable postgres_version)}"

fail() { echo "$1" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "warmup.sh needs root: sudo ./warmup.sh"
# The first thing that went wrong: what follows it in the log only follows from it.
reason() {
  grep -m 1 -E '^E: Failed to fetch|No space left|Could not resolve' "$1" || grep -m 1 -E '^E: |^Err' "$1" || tail -n 1 "$1"
}
# Mounts of our own, which go when this process goes, however it ends.
[ -n "${WORKSHOP_OWN_MOUNTS:-}" ] || exec env WORKSHOP_OWN_MOUNTS=1 unshare --mount "$0"
mkdir -p "$STATE/images" "$STATE/log"

# The nodes' users are shifted to a range that nobody has: Debian gives 100000 to the first ordinary user.
own_id_range() {
  local base
  base="$(awk -F: '$1 == "root" && $3 >= 65536 && $2 >= 1000000 { print $2; exit }' /etc/subuid 2>/dev/null || true)"
  if [ -z "$base" ] || ! grep -q "^root:$base:" /etc/subgid 2>/dev/null; then
    base="$(cat /etc/subuid /etc/subgid 2>/dev/null | awk -F: 'BEGIN { top = 1000000 } $2 + $3 > top { top = $2 + $3 } END { print int((top + 65535) / 65536) * 65536 }')"
    echo "root:$base:65536" >"$STATE/id-range" # what a purge may take away again
    echo "root:$base:65536" >>/etc/subuid
    echo "root:$base:65536" >>/etc/subgid
  fi
  echo "$base"
}

# Debian's sources as this machine has them, where it is a Debian machine; mmdebstrap's own default elsewhere.
own_mirror() {
  # shellcheck disable=SC1091
  [ "$(. /etc/os-release && echo "$ID")" = debian ] || return 0
  { sed -nE 's/^URIs: *([^ ]+\/debian\/?)( .*)?$/\1/p' /etc/apt/sources.list.d/*.sources
    sed -nE 's/^deb (\[[^]]*\] )?([^ ]+\/debian\/?) .*$/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list
  } 2>/dev/null | head -n 1 || true
}

# One warm-up at a time: two would fight for the same range of ids and the same image.
exec 9>"$STATE/images/.lock"
flock -n 9 || { echo "Another warm-up is at work here: waiting for it." >&2; flock 9; }
base="$(own_id_range)"
recipe="$(cat "$0" "$here/files/customize-image.sh" "$here/files/shift_owners.py" "$here/files/dpkg.cfg" <(echo "$suite $mirror $source $POSTGRES_VERSION $base") | sha256sum | cut -c1-12)"
image="$STATE/images/$recipe"

if [ ! -d "$image" ]; then
  rm -rf --one-file-system "$STATE"/images/.new-*
  new="$(mktemp -d "$STATE/images/.new-XXXXXX")"
  where="$new"
  trap '[ "$where" = "$new" ] || umount "$where"; rm -rf --one-file-system "$new"' EXIT
  chmod 755 "$new"
  # Built in memory where there is plenty, and copied when it is whole: a quarter of the time is the disk's.
  if [ "$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)" -ge 4096 ]; then
    mkdir "$new/memory"
    mount -t tmpfs -o size=2g,mode=755 workshop-image "$new/memory"
    where="$new/memory"
  fi
  log="$STATE/log/warmup.log"
  [ -n "$mirror" ] || mirror="$(own_mirror)"
  sources=()
  [ -z "$mirror" ] || sources+=("deb $mirror $suite main")
  [ -z "$source" ] || sources+=("$source")
  packages=systemd,systemd-sysv,dbus,openssh-server,sudo,curl,jq,less,python3,procps,iproute2,iputils-ping,vim,nano,nftables,ca-certificates,rsync
  mmdebstrap --mode=root --variant=minbase --include="$packages" --skip=cleanup/apt,cleanup/reproducible \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Retries "3"' \
    --extract-hook="cp '$here/files/dpkg.cfg' \"\$1/etc/dpkg/dpkg.cfg.d/90workshop\"" \
    --customize-hook="'$here/files/customize-image.sh' \"\$1\"" \
    "$suite" "$where/root" "${sources[@]}" >"$log" 2>&1 9>&- ||
    fail "The image could not be built ($(reason "$log")). Is there a network, and room on the disk? The whole log: $log"
  python3 "$here/files/shift_owners.py" "$where/root" "$base"
  if [ "$where" != "$new" ]; then
    cp -a "$where/root" "$new/root"
    umount "$where"
    rmdir "$where"
    where="$new"
  fi
  mv "$new" "$image"
fi
echo "image=$recipe id_base=$base"
