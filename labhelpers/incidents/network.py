"""Cuts between nodes and slow links: rules of this machine's network, never of a node's.

**Invariant.** One table of our own (nftables, family ``bridge``, the lab's name), with the incident's id as each
rule's comment; no other table is touched, and the table goes with its last rule. Frames between two nodes cross the
bridge's forward hook; what this machine itself sends to a node does not, so SSH and the sampler still see.

Syntax: https://wiki.nftables.org/wiki-nftables/index.php/Bridge_filtering and tc-tbf(8).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

CHAIN = "cuts"
POSTGRES_PORT = 5432
DEVICES = Path("/sys/class/net")
_UP = 0x1  # IFF_UP, the lowest flag of /sys/class/net/NAME/flags (netdevice(7))


class RootCommand(Protocol):
    """:func:`labhelpers.host.as_root`, or a scripted one."""

    def __call__(
        self, argv: Sequence[str], *, input: str | None = None, timeout: float = 60, check: bool = True
    ) -> Any: ...


@dataclass(frozen=True, slots=True)
class Cut:
    """Two ends that no longer hear each other: two links of the lab, or (``address``) a client and a link."""

    interface: str
    other_interface: str | None = None
    address: str | None = None

    def rules(self) -> list[str]:
        """The matches, both directions."""
        if self.other_interface is not None:
            there, here = self.interface, self.other_interface
            return [f'iifname "{there}" oifname "{here}"', f'iifname "{here}" oifname "{there}"']
        return [
            f'ip saddr {self.address} oifname "{self.interface}" tcp dport {POSTGRES_PORT}',
            f'iifname "{self.interface}" ip daddr {self.address} tcp sport {POSTGRES_PORT}',
        ]


class Network:
    """The lab's part of this machine's network."""

    def __init__(self, lab: str, as_root: RootCommand, devices: Path = DEVICES) -> None:
        self.table = f"workshop_{lab.replace('-', '_')}"
        self._as_root = as_root
        self._devices = devices

    def add_cut(self, tag: str, cuts: Sequence[Cut]) -> None:
        """Cut, in one transaction. Repeating it changes nothing."""
        lines = [
            f"add table bridge {self.table}",
            f"add chain bridge {self.table} {CHAIN} {{ type filter hook forward priority 0; policy accept; }}",
        ]
        lines += [f"delete rule bridge {self.table} {CHAIN} handle {handle}" for handle in self._handles(tag)]
        for cut in cuts:
            lines += [
                f'add rule bridge {self.table} {CHAIN} {match} counter drop comment "{tag}"' for match in cut.rules()
            ]
        self._as_root(["nft", "-f", "-"], input="\n".join(lines) + "\n")

    def remove_cut(self, tag: str) -> None:
        """Join again what ``tag`` cut; the table goes with its last rule."""
        rules = self.rules()
        ours = {handle for handle, comment in rules if comment == tag}
        if rules and not [handle for handle, _ in rules if handle not in ours]:
            self.drop_table()
        elif ours:
            lines = [f"delete rule bridge {self.table} {CHAIN} handle {handle}" for handle in sorted(ours)]
            self._as_root(["nft", "-f", "-"], input="\n".join(lines) + "\n")

    def drop_table(self) -> None:
        """No cut remains. Naming the table first makes this repeatable."""
        name = f"table bridge {self.table}"
        self._as_root(["nft", "-f", "-"], input=f"{name}\ndelete {name}\n")

    def table_exists(self) -> bool:
        return self._listing() is not None

    def rules(self) -> list[tuple[int, str]]:
        """Handle and comment of each rule in our table."""
        listing = self._listing()
        if listing is None:
            return []
        found = [item["rule"] for item in listing["nftables"] if "rule" in item]
        return [(int(rule["handle"]), str(rule.get("comment", ""))) for rule in found]

    def _handles(self, tag: str) -> list[int]:
        return [handle for handle, comment in self.rules() if comment == tag]

    def _listing(self) -> dict[str, Any] | None:
        done = self._as_root(["nft", "-j", "list", "table", "bridge", self.table], check=False)
        if done.returncode != 0:
            return None
        listing: dict[str, Any] = json.loads(done.stdout)
        return listing

    # Links. An interface that is not there (its node is stopped) has no state to change.

    def exists(self, interface: str) -> bool:
        return (self._devices / interface).exists()

    def is_up(self, interface: str) -> bool | None:
        """None: the interface is not there."""
        try:
            flags = int((self._devices / interface / "flags").read_text(), 16)
        except OSError:
            return None
        return bool(flags & _UP)

    def set_link(self, interface: str, *, up: bool) -> None:
        if self._is(interface, up):
            return
        self._as_root(["ip", "link", "set", "dev", interface, "up" if up else "down"])

    def _is(self, interface: str, up: bool) -> bool:
        now = self.is_up(interface)
        return now is None or now == up

    def slow(self, interface: str, kilobits_per_second: int) -> None:
        """What goes *to* the node passes through a token bucket."""
        self._as_root(
            ["tc", "qdisc", "replace", "dev", interface, "root", "tbf", "rate", f"{kilobits_per_second}kbit",
             "burst", "16kb", "latency", "400ms"]
        )  # fmt: skip

    def unslow(self, interface: str) -> None:
        if self.exists(interface) and self.is_slow(interface):
            self._as_root(["tc", "qdisc", "del", "dev", interface, "root"])

    def is_slow(self, interface: str) -> bool:
        return " tbf " in self._as_root(["tc", "qdisc", "show", "dev", interface], check=False).stdout

    def slow_interfaces(self, interfaces: Sequence[str]) -> list[str]:
        """Those that pass through a token bucket: one command for all."""
        listing = self._as_root(["tc", "qdisc", "show"], check=False).stdout
        slow = [line.split(" dev ")[1].split()[0] for line in listing.splitlines() if line.startswith("qdisc tbf")]
        return [interface for interface in interfaces if interface in slow]
