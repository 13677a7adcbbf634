#!/bin/bash
# LXC's hook of every node: before the start, the node's file system is laid together from its layers; after the stop, it
# is taken apart. So a plain lxc-start works, after a reboot of the machine too.
#   nodes/NAME/layers   the read-only layers, the uppermost first     nodes/NAME/upper   what the node itself has written
set -euo pipefail
node="$(dirname "$LXC_ROOTFS_PATH")"
root="$node/root"

# AppArmor's profile of lxc-start forbids it to mount an overlay, and allows it to leave the profile: mount does.
leave_profile() {
  local own=/proc/self/attr
  [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] || return 0
  [ ! -e "$own/apparmor/exec" ] || own="$own/apparmor"
  printf 'exec unconfined' >"$own/exec"
}

case "$LXC_HOOK_TYPE" in
  pre-start)
    if [ -e "$node/../../plan.json" ]; then
      lab="$(basename "$(dirname "$(dirname "$node")")")"
      echo "a goto or a save of this lab was interrupted: finish it first with './workshop up --lab $lab'" >&2
      exit 1
    fi
    # The hook of a stop that was just before may be about to take it away.
    for _ in {1..20}; do mountpoint -q "$root" || break; sleep 0.1; done
    mountpoint -q "$root" && exit 0
    layers="$(paste -sd: "$node/layers")"
    mkdir -p "$node/work"
    leave_profile
    mount -t overlay "workshop-$LXC_NAME" -o "redirect_dir=off,metacopy=off,index=off,lowerdir=$layers,upperdir=$node/upper,workdir=$node/work" "$root"
    ;;
  post-stop)
    umount -l "$root" 2>/dev/null || ! mountpoint -q "$root"
    ;;
esac
