#!/bin/bash
# The lab's network on this machine: bridge, way out, and a wall against the outside.   network.sh up|down
# Each step may be repeated. What is not ours (a bridge of lxc-net's) is used and left as it is.
set -euo pipefail
mark="patroni-workshop:$LAB"
table="workshop_${LAB//-/_}"
subnet="$NETWORK.0/24"
here="$(cd "$(dirname "$0")" && pwd)"
# Others may have containers of their own on a bridge of lxc-net's: the rules are about the nodes alone.
nodes="$(for node in $NODES; do address="ADDRESS_${node//-/_}"; printf '%s, ' "${!address}"; done)"

bridge_is_ours() { [ "$(cat "/sys/class/net/$BRIDGE/ifalias" 2>/dev/null || true)" = "$mark" ]; }

# Docker sets the FORWARD policy to DROP, and bridged packets go through it too: then the lab needs its own accept rule.
forward_drops() { command -v iptables >/dev/null && iptables -S FORWARD 2>/dev/null | grep -qx -- '-P FORWARD DROP'; }
accept_rules() { printf '%s\n' "-i $BRIDGE" "-o $BRIDGE"; }

up() {
  if [ ! -d "/sys/class/net/$BRIDGE" ]; then
    ip link add name "$BRIDGE" type bridge
    ip link set dev "$BRIDGE" alias "$mark"
  fi
  if bridge_is_ours; then
    ip addr replace "$NETWORK.1/24" brd + dev "$BRIDGE"
    ip link set dev "$BRIDGE" up
  fi
  # Without the bridge, no packet for a lab address may leave this machine: a real network may use them.
  ip route replace unreachable "$subnet" metric 4294967294
  sysctl -qw net.ipv4.ip_forward=1
  # All nodes of all labs count as one user: systemd alone takes several of these a node, and the default is 128.
  [ "$(sysctl -n fs.inotify.max_user_instances)" -ge 1024 ] || sysctl -qw fs.inotify.max_user_instances=1024
  nft -f - <<NFT
table ip $table
delete table ip $table
table ip $table {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ip saddr { $nodes } ip daddr != $subnet masquerade
  }
  chain forward {
    type filter hook forward priority filter;
    oifname "$BRIDGE" iifname != "$BRIDGE" ip daddr { $nodes } ct state new drop
  }
}
NFT
  if forward_drops; then
    accept_rules | while read -r match; do
      # shellcheck disable=SC2086  # two words
      iptables -C FORWARD $match -m comment --comment "$mark" -j ACCEPT 2>/dev/null ||
        iptables -I FORWARD $match -m comment --comment "$mark" -j ACCEPT
    done
  fi
}

down() {
  nft delete table ip "$table" 2>/dev/null || true
  nft delete table bridge "$table" 2>/dev/null || true
  if command -v iptables >/dev/null; then
    accept_rules | while read -r match; do
      # shellcheck disable=SC2086
      while iptables -D FORWARD $match -m comment --comment "$mark" -j ACCEPT 2>/dev/null; do :; done
    done
  fi
  # The client's own namespace, and its link, where an incident made them.
  ip link del dev "$PREFIX-client" 2>/dev/null || true
  ip netns del "workshop-$LAB-client" 2>/dev/null || true
  ip route del unreachable "$subnet" metric 4294967294 2>/dev/null || true
  if bridge_is_ours; then ip link del dev "$BRIDGE"; fi
}

# shellcheck source-path=SCRIPTDIR
. "$here/alone.sh"
"$1"
