#!/usr/bin/env python3
"""Is anything of others' in the lab's way? Looks only; says what to do; exit status 1 where the lab can't be built.

Reads the lab's settings from the environment (lab.env). Standard library only: Debian's own Ansible runs it too.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

IMAGE_MEGABYTES = 1100
"""The image, where this machine has none yet."""

COURSE_MEGABYTES = 1900
"""Seven nodes through the whole course and some saves: see the README's requirements."""

FURTHER_LAB_MEGABYTES = 300
"""Another lab beside one that is there, such as the one that chapter 02 builds: new nodes are nearly empty."""

NETWORK_DEVICES = Path("/sys/class/net")

MARK = "patroni-workshop:"
"""Before the lab's name: what a lab's bridge has for alias."""

WIDE = 16
"""A connected network with a shorter prefix than this one merely contains the lab's: the lab's /24 goes first."""


def say(en: str, fr: str) -> str:
    spoken = os.environ.get("WORKSHOP_LANGUAGE") or os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return fr if spoken.lower().startswith("fr") else en


def connected_networks() -> list[tuple[str, ipaddress.IPv4Network]]:
    listing = subprocess.run(["ip", "-json", "-4", "addr"], capture_output=True, text=True, check=True).stdout
    return [
        (link["ifname"], ipaddress.IPv4Network(f"{address['local']}/{address['prefixlen']}", strict=False))
        for link in json.loads(listing)
        for address in link.get("addr_info", [])
    ]


def megabytes_needed(state: Path, lab: str) -> int:
    """The room on the disk that building ``lab`` asks for; 0 where it is there already."""
    labs = {description.parent.name for description in state.glob("labs/*/lab.json")}
    if lab in labs:
        return 0
    image = 0 if any(state.glob("images/[!.]*/root")) else IMAGE_MEGABYTES
    return image + (FURTHER_LAB_MEGABYTES if labs else COURSE_MEGABYTES)


def megabytes_free(state: Path) -> int:
    """The room where the lab's files will lie."""
    return shutil.disk_usage(existing(state)).free // 1_000_000


def existing(path: Path) -> Path:
    """The path, or the directory above it that is there."""
    return next(each for each in (path, *path.parents) if each.exists())


def other_lab(env: dict[str, str]) -> str | None:
    """The other lab that has this one's network: two names may come to the same."""
    alias = NETWORK_DEVICES / env["BRIDGE"] / "ifalias"
    mark = alias.read_text().strip() if alias.exists() else ""
    if mark.startswith(MARK) and mark != MARK + env["LAB"]:
        return mark.removeprefix(MARK)
    for description in Path(env["STATE"]).glob("labs/*/lab.json"):
        if description.parent.name != env["LAB"] and json.loads(description.read_text())["network"] == env["NETWORK"]:
            return description.parent.name
    return None


def problems(env: dict[str, str]) -> list[str]:
    lab, bridge = env["LAB"], env["BRIDGE"]
    subnet = ipaddress.IPv4Network(f"{env['NETWORK']}.0/24")
    found = []
    other = other_lab(env)
    if other is not None:
        found.append(
            say(
                f"the lab {other} has the network {subnet}, which the lab {lab} would use too; another name has "
                "another network: --lab NAME",
                f"le lab {other} a le réseau {subnet}, que le lab {lab} utiliserait aussi ; un autre nom a un autre "
                "réseau : --lab NOM",
            )
        )
    for interface, network in connected_networks():
        if interface != bridge and network.overlaps(subnet) and network.prefixlen >= WIDE:
            found.append(
                say(
                    f"the interface {interface} already has {network}, which the lab {lab} would use; "
                    "another lab has another network: --lab NAME",
                    f"l'interface {interface} porte déjà {network}, que le lab {lab} utiliserait ; "
                    "un autre lab a un autre réseau : --lab NOM",
                )
            )
        if interface == bridge and f"{env['NETWORK']}.0/24" != str(network):
            found.append(
                say(
                    f"the bridge {bridge} is there with {network}, not {subnet}; another lab has its own bridge: "
                    "--lab NAME",
                    f"le pont {bridge} existe avec {network}, et non {subnet} ; un autre lab a son propre pont : "
                    "--lab NOM",
                )
            )
    for node in env["NODES"].split():
        config = Path(env["LXC_PATH"]) / node / "config"
        if config.exists() and f"lxc.group = workshop-{lab}\n" not in config.read_text():
            found.append(
                say(
                    f"there is a container {node} in {env['LXC_PATH']} that is not the workshop's; it stays as it "
                    "is. Use another lab: --lab NAME",
                    f"il y a dans {env['LXC_PATH']} un conteneur {node} qui n'est pas à l'atelier ; il reste intact. "
                    "Prenez un autre lab : --lab NOM",
                )
            )
    if "overlay" not in Path("/proc/filesystems").read_text():
        subprocess.run(["modprobe", "overlay"], capture_output=True, check=False)
    if "overlay" not in Path("/proc/filesystems").read_text():
        found.append(
            say(
                "this machine's kernel has no overlayfs; the lab needs it (try: sudo modprobe overlay)",
                "le noyau de cette machine n'a pas overlayfs, dont le lab a besoin (essayez : sudo modprobe overlay)",
            )
        )
    state = Path(env["STATE"])
    free, needed = megabytes_free(state), megabytes_needed(state, lab)
    if free < needed:
        found.append(
            say(
                f"{existing(state)} has {free} MB free and the lab needs {needed} MB; free some room, then try again",
                f"{existing(state)} n'a que {free} Mo libres et le lab en demande {needed} ; libérez de la place, "
                "puis recommencez",
            )
        )
    return found


if __name__ == "__main__":
    wrong = problems(dict(os.environ))
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    sys.exit(1 if wrong else 0)
