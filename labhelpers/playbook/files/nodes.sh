#!/bin/bash
# The lab's nodes: create their files, start them, remove them.
#   nodes.sh create image=HASH id_base=N      nodes.sh start (done when SSH answers on each)
#   nodes.sh remove                           nodes.sh forget (the lab's other files)
# Each verb may be repeated, and goes on where an earlier one was cut off.
set -euo pipefail
lab_dir="$STATE/labs/$LAB"
keys="$lab_dir/keys"
here="$(cd "$(dirname "$0")" && pwd)"

address_of() { local var="ADDRESS_${1//-/_}"; printf %s "${!var}"; }

# Include only these two files: Debian 13's lxc has no debian.*.conf. The halt signal is systemd's, or each stop waits.
# The hardware address is the node's for good: its neighbours need not find out after each start that it has another.
write_config() {
  local address hardware
  address="$(address_of "$1")"
  # shellcheck disable=SC2086  # four words
  hardware="$(printf '02:00:%02x:%02x:%02x:%02x' ${address//./ })"
  cat <<CONF
lxc.include = /usr/share/lxc/config/common.conf
lxc.include = /usr/share/lxc/config/userns.conf
lxc.uts.name = $1
lxc.group = workshop-$LAB
lxc.rootfs.path = dir:$lab_dir/nodes/$1/root
lxc.hook.version = 1
lxc.hook.pre-start = $lab_dir/mount-node
lxc.hook.post-stop = $lab_dir/mount-node
lxc.idmap = u 0 $id_base 65536
lxc.idmap = g 0 $id_base 65536
lxc.keyring.session = 0
lxc.seccomp.profile = $lab_dir/seccomp
lxc.apparmor.profile = generated
lxc.apparmor.allow_nesting = 1
lxc.cgroup.dir = workshop-$LAB
lxc.signal.halt = SIGRTMIN+3
lxc.net.0.type = veth
lxc.net.0.link = $BRIDGE
lxc.net.0.veth.pair = $PREFIX-$1
lxc.net.0.name = eth0
lxc.net.0.flags = up
lxc.net.0.hwaddr = $hardware
lxc.net.0.ipv4.address = $address/24
lxc.net.0.ipv4.gateway = $NETWORK.1
CONF
}

# LXC's own denials, and the kernel's keyrings besides: all nodes of all labs are one user to the kernel, whose 200 keys
# (kernel.keys.maxkeys) the services of three labs use up; units then fail with status 237. Told that there are no
# keyrings (ENOSYS), systemd and PAM do without.
write_seccomp() {
  cat /usr/share/lxc/config/common.seccomp
  printf '%s errno 38\n' keyctl add_key request_key
}

# One overlay layer for each node, with what is its own: name, addresses, keys. Complete before it gets its name.
create_node() {
  local node=$1 dir="$lab_dir/nodes/$1" new="$lab_dir/nodes/.new-$1"
  [ -d "$dir" ] && return 0
  rm -rf "$new"
  mkdir -p "$new"/{upper,work,root}
  mkdir -p "$new"/upper/{etc/ssh,root/.ssh}
  printf '%s\n' "$STATE/images/$image/root" >"$new/layers"
  printf '%s\n' "$node" >"$new/upper/etc/hostname"
  cp "$lab_dir/hosts" "$new/upper/etc/hosts"
  cp "$lab_dir/resolv.conf" "$new/upper/etc/resolv.conf"
  printf %s "$LAB/$node/$(cat "$lab_dir/serial")" | md5sum | cut -d' ' -f1 >"$new/upper/etc/machine-id"
  cp "$keys/host/$node" "$new/upper/etc/ssh/ssh_host_ed25519_key"
  cp "$keys/host/$node.pub" "$new/upper/etc/ssh/ssh_host_ed25519_key.pub"
  cp "$keys/id_ed25519.pub" "$new/upper/root/.ssh/authorized_keys"
  chmod 700 "$new/upper/root" "$new/upper/root/.ssh"
  chmod 600 "$new/upper/etc/ssh/ssh_host_ed25519_key" "$new/upper/root/.ssh/authorized_keys"
  chmod 755 "$new" "$new/upper" "$new/upper/etc" "$new/upper/etc/ssh"
  chmod 644 "$new"/upper/etc/{hostname,hosts,resolv.conf,machine-id}
  chown -R "$id_base:$id_base" "$new/upper"
  mv "$new" "$dir"
}

create() {
  umask 022
  local image id_base node key resolver
  declare -r "$@"
  mkdir -p "$lab_dir/nodes" "$lab_dir/log" "$LXC_PATH" "$keys/host"
  # A set-up that was cut off here leaves a key without its twin, or under its first name, of which ssh-keygen would ask
  # whether to overwrite it: what is not complete is made again.
  for node in client $NODES; do
    key="$keys/host/$node"
    [ "$node" = client ] && key="$keys/id_ed25519"
    if [ ! -s "$key.pub" ]; then
      rm -f "$key" "$key.new" "$key.new.pub"
      ssh-keygen -q -t ed25519 -N '' -C "$node of the lab $LAB" -f "$key.new"
      mv "$key.new" "$key"
      mv "$key.new.pub" "$key.pub"
    fi
  done
  [ -s "$lab_dir/serial" ] || od -An -tx8 -N8 /dev/urandom | tr -d ' ' >"$lab_dir/serial"
  { for node in $NODES; do printf '%s,%s %s\n' "$node" "$(address_of "$node")" "$(cut -d' ' -f1,2 "$keys/host/$node.pub")"; done; } >"$keys/known_hosts"
  # A loopback resolver is this machine's own: the nodes can't reach it, so they get what it asks itself.
  resolver=/etc/resolv.conf
  grep -qE '^nameserver +127\.' "$resolver" && [ -s /run/systemd/resolve/resolv.conf ] && resolver=/run/systemd/resolve/resolv.conf
  { grep -E '^nameserver' "$resolver" | grep -vE ' 127\.| ::1' || true; echo 'options timeout:1 attempts:2'; } >"$lab_dir/resolv.conf"
  { echo '127.0.0.1 localhost'; for node in $NODES; do echo "$(address_of "$node") $node"; done; } >"$lab_dir/hosts"
  install -m 755 "$here/mount-node.sh" "$lab_dir/mount-node"
  write_seccomp >"$lab_dir/seccomp"
  for node in $NODES; do create_node "$node"; done
  for node in $NODES; do
    mkdir -p "$LXC_PATH/$node"
    write_config "$node" >"$LXC_PATH/$node/config.new"
    mv "$LXC_PATH/$node/config.new" "$LXC_PATH/$node/config"
  done
  chmod 755 "$lab_dir" "$lab_dir/nodes"
  printf '{"lab": "%s", "network": "%s", "bridge": "%s", "image": "%s", "id_base": %d}\n' "$LAB" "$NETWORK" "$BRIDGE" "$image" "$id_base" >"$lab_dir/lab.json.new"
  mv "$lab_dir/lab.json.new" "$lab_dir/lab.json"
}

start() {
  for node in $NODES; do
    case "$(lxc-info -P "$LXC_PATH" -n "$node" -sH)" in
      RUNNING | STARTING) ;;
      FROZEN) lxc-unfreeze -P "$LXC_PATH" -n "$node" ;;
      *) lxc-start -P "$LXC_PATH" -n "$node" -o "$lab_dir/log/$node.log" -l WARN 8>&- || {
           echo "$node does not start: $(tail -n 2 "$lab_dir/log/$node.log" | tr '\n' ' ')" >&2; exit 1; } ;;
    esac
  done
  for node in $NODES; do wait_for_ssh "$node"; done
}

wait_for_ssh() {
  local deadline=$((SECONDS + 120))
  until [ "$(timeout 2 bash -c 'head -c 4 2>/dev/null </dev/tcp/"$0"/22' "$(address_of "$1")" 2>/dev/null)" = SSH- ]; do
    [ "$SECONDS" -lt "$deadline" ] || { echo "$1 started, but SSH does not answer there; look: sudo lxc-attach -P $LXC_PATH -n $1 -- systemctl --failed" >&2; exit 1; }
    sleep 0.1
  done
}

is_ours() { grep -qx "lxc.group = workshop-$LAB" "$LXC_PATH/$1/config" 2>/dev/null; }

remove() {
  for node in $NODES; do
    is_ours "$node" || continue
    { lxc-unfreeze -P "$LXC_PATH" -n "$node"; lxc-stop -P "$LXC_PATH" -n "$node" -k; } >/dev/null 2>&1 &
  done
  wait
  for node in $NODES; do
    is_ours "$node" || continue
    lxc-wait -P "$LXC_PATH" -n "$node" -s STOPPED -t 20
    # LXC's hook, which runs after a container is called stopped, may take it away at the same moment.
    umount -l "$lab_dir/nodes/$node/root" 2>/dev/null || ! mountpoint -q "$lab_dir/nodes/$node/root"
    rm -rf --one-file-system "${LXC_PATH:?}/$node" "$lab_dir/nodes/$node"
  done
  rm -rf --one-file-system "$lab_dir/nodes"
  remove_cgroups
}

# LXC leaves directories in the lab's cgroup; what monitors a container ends a moment after it.
remove_cgroups() {
  local top deadline=$((SECONDS + 5))
  for top in /sys/fs/cgroup/"workshop-$LAB" /sys/fs/cgroup/*/"workshop-$LAB"; do
    while [ -d "$top" ] && [ "$SECONDS" -lt "$deadline" ]; do
      find "$top" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
    done
  done
}

# Of the saves, those stay that a person named.
forget() {
  rm -f "$playbook_lock"
  [ -d "$lab_dir" ] || return 0
  find "$lab_dir" -mindepth 1 -maxdepth 1 ! -name saves -exec rm -rf --one-file-system {} +
  if [ -d "$lab_dir/saves" ]; then
    printf '{"lab_dir": "%s"}' "$lab_dir" | PYTHONPATH="$here/../../.." PYTHONDONTWRITEBYTECODE=1 "${PYTHON:-python3}" -m labhelpers.course.disks named >/dev/null
  fi
  [ ! -d "$lab_dir" ] || rmdir --ignore-fail-on-non-empty "$lab_dir"
}

# shellcheck source-path=SCRIPTDIR
. "$here/alone.sh"
"$@"
