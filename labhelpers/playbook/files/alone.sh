# shellcheck shell=bash
# Sourced by the scripts of a lab. Who was cut off may have left one of these running: one at a time for a lab.
# The lock lives on descriptor 8 as long as the script; `nodes.sh forget` takes its file away.
playbook_lock="$STATE/locks/.$LAB.playbook"
[ -d "$STATE/locks" ] || install -d -m 1777 "$STATE/locks"
while :; do
  exec 8>"$playbook_lock"
  flock 8
  [ "$playbook_lock" -ef /proc/self/fd/8 ] && break
done
