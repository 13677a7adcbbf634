"""The nodes of a lab: their names, roles and addresses, read from the Ansible inventory and written nowhere else."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from labhelpers.errors import BadInventory, UnknownNode
from labhelpers.i18n import tr
from labhelpers.meant import MAIN, default_lab
from labhelpers.paths import LONGEST_LAB_NAME, STATE, LabPaths, validate_lab_name

Role = Literal["etcd", "postgres", "backup"]
ROLES: tuple[Role, ...] = get_args(Role)
GROUPS: dict[Role, str] = {"etcd": "etcd", "postgres": "postgres", "backup": "backups"}
"""The inventory's group of each role (Ansible wants a group to have another name than its node)."""

_HOST = re.compile(r"\{\{\s*network\s*\}\}\.([0-9]+)")
_NODE_NAME = re.compile("[a-z][a-z0-9-]{0,8}")  # Linux takes an interface's name of 15 characters, six are the prefix
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)?")

HOSTS = range(2, 255)
"""The host numbers that a node or the client may have; the machine itself is 1."""

PLAYBOOK = Path(str(resources.files("labhelpers"))) / "playbook"
INVENTORY = PLAYBOOK / "inventory.yml"


def scratch_lab_name(lab: str | None = None) -> str:
    """The name of the second lab that chapter 02 builds beside ``lab``: one for each lab, so that none meets another's.

    >>> scratch_lab_name("main"), scratch_lab_name("test-en")
    ('scratch', 'test-en-s')
    """
    lab = lab or default_lab()
    return "scratch" if lab == MAIN else f"{lab[: LONGEST_LAB_NAME - 2]}-s"


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One node. ``interface`` is the machine's end of the node's network link."""

    name: str
    role: Role
    address: str
    interface: str


@dataclass(frozen=True, slots=True)
class Topology:
    """The nodes of one lab and the network that they share."""

    lab: str
    network: str
    bridge: str
    nodes: tuple[NodeSpec, ...]
    postgres_version: str
    client_address: str

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network(f"{self.network}.0/24")

    @property
    def gateway(self) -> str:
        """The machine's own address in the lab's network."""
        return f"{self.network}.1"

    @property
    def group(self) -> str:
        """Our mark on a container: its ``lxc.group``."""
        return f"workshop-{self.lab}"

    @property
    def prefix(self) -> str:
        """What the names of the lab's interfaces on this machine begin with."""
        return interface_prefix(self.network)

    @property
    def scope(self) -> str:
        """Patroni's name for the cluster, as Debian's ``pg_createconfig_patroni`` chooses it."""
        return f"{self.postgres_version}-main"

    @property
    def lxc_path(self) -> Path:
        """Where LXC finds the containers: its own directory for the trainee's lab, the lab's for the others."""
        return Path("/var/lib/lxc") if self.lab == MAIN else STATE / "labs" / self.lab / "lxc"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(node.name for node in self.nodes)

    def _with_role(self, role: Role) -> tuple[str, ...]:
        return tuple(node.name for node in self.nodes if node.role == role)

    @property
    def etcd(self) -> tuple[str, ...]:
        return self._with_role("etcd")

    @property
    def postgres(self) -> tuple[str, ...]:
        return self._with_role("postgres")

    @property
    def backup(self) -> tuple[str, ...]:
        return self._with_role("backup")

    def replicas(self, leader: str | None) -> list[str]:
        """The PostgreSQL nodes but the leader; all of them where nobody leads."""
        return [node for node in self.postgres if node != leader]

    def node(self, name: str) -> NodeSpec:
        """The node of that name. Raises :class:`UnknownNode`."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise UnknownNode(name, self.names)

    def expand(self, names: Iterable[str]) -> list[str]:
        """The nodes meant by names of nodes and of groups (``etcd``, ``postgres``, ``all``), each once, in node order.

        Raises :class:`UnknownNode`.
        """
        wanted: set[str] = set()
        for name in names:
            if name == "all":
                wanted.update(self.names)
            elif name in ROLES:
                wanted.update(self._with_role(name))
            else:
                wanted.add(self.node(name).name)
        return [name for name in self.names if name in wanted]


@dataclass(frozen=True, slots=True)
class Variables:
    """What the inventory says of all nodes."""

    network: str
    postgres_version: str
    client_host: int


def interface_prefix(network: str) -> str:
    """What the lab's interfaces on this machine begin with: ``w`` and the network's second and third number in hex.

    >>> interface_prefix("10.0.3")
    'w0003'
    """
    _, second, third = (int(number) for number in network.split("."))
    return f"w{second:02x}{third:02x}"


def _network_of(lab: str, main_network: str) -> str:
    """A /24 for each lab: the inventory's for the trainee's, one drawn from its name in 10.64.0.0/10 for another."""
    if lab == MAIN:
        return main_network
    digest = hashlib.sha256(lab.encode()).digest()
    return f"10.{64 + digest[0] % 64}.{digest[1]}"


def _as_dict(value: Any, path: Path, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInventory(path, _line_of(path, key), _no_mapping(repr(key), value))
    return value


def _no_mapping(what: str, value: Any) -> str:
    kind = type(value).__name__
    return tr(f"{what} must be a mapping, not {kind}", f"{what} doit être un dictionnaire, pas {kind}")


def _read_inventory(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The variables, and the groups below ``nodes``."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInventory(path, None, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise BadInventory(
            path, error.object[: error.start].count(b"\n") + 1, tr("not UTF-8", "pas de l'UTF-8")
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or tr("not YAML", "pas du YAML")
        raise BadInventory(path, mark.line + 1 if mark else None, problem) from error
    if not isinstance(document, dict):
        raise BadInventory(path, None, _no_mapping(tr("the inventory", "l'inventaire"), document))
    everything = _as_dict(document.get("all"), path, "all")
    variables = _as_dict(everything.get("vars"), path, "vars")
    groups: Any = everything
    for step in ("children", "nodes", "children"):
        groups = _as_dict(groups.get(step), path, step)
    return variables, groups


@lru_cache
def _inventory(path: Path) -> tuple[Variables, tuple[tuple[str, Role, int], ...]]:
    """The inventory's variables, and its nodes as (name, role, host number)."""
    written, groups = _read_inventory(path)
    variables = _variables(path, written)
    nodes: list[tuple[str, Role, int]] = []
    whose = {variables.client_host: "client_host"}
    for role in ROLES:
        group = _as_dict(groups.get(GROUPS[role]), path, GROUPS[role])
        for key, host in _as_dict(group.get("hosts"), path, GROUPS[role]).items():
            name = str(key)
            if not _NODE_NAME.fullmatch(name):
                rule = _NODE_NAME.pattern
                why = tr(f"{name!r} is not a node's name ({rule})", f"{name!r} n'est pas un nom de nœud ({rule})")
                raise BadInventory(path, _line_of(path, name), why)
            address = str(_as_dict(host, path, name).get("address", ""))
            match = _HOST.fullmatch(address)
            if not match or int(match[1]) not in HOSTS:
                why = tr(
                    f"the address of {name} must be '{{{{ network }}}}.N', N from {HOSTS[0]} to {HOSTS[-1]}",
                    f"l'adresse de {name} doit être '{{{{ network }}}}.N', N de {HOSTS[0]} à {HOSTS[-1]}",
                )
                raise BadInventory(path, _line_of(path, name), why)
            number = int(match[1])
            if number in whose:
                why = tr(
                    f"{name} has the address of {whose[number]} (.{number})",
                    f"{name} a la même adresse que {whose[number]} (.{number})",
                )
                raise BadInventory(path, _line_of(path, name), why)
            whose[number] = name
            nodes.append((name, role, number))
    return variables, tuple(nodes)


def _variables(path: Path, written: dict[str, Any]) -> Variables:
    def checked(name: str, rule: str, holds: Callable[[str], bool]) -> str:
        if name not in written:
            raise BadInventory(path, _line_of(path, "vars"), tr(f"'vars' lacks {name!r}", f"'vars' n'a pas {name!r}"))
        value = str(written[name])
        if not holds(value):
            why = tr(f"{name} must be {rule}, not {value!r}", f"{name} doit être {rule}, pas {value!r}")
            raise BadInventory(path, _line_of(path, name), why)
        return value

    network = tr(
        "the first three numbers of an IPv4 network, such as 10.0.3",
        "les trois premiers nombres d'un réseau IPv4, comme 10.0.3",
    )
    version = tr('a version, such as "17"', 'une version, comme "17"')
    host = tr(f"a number from {HOSTS[0]} to {HOSTS[-1]}", f"un nombre de {HOSTS[0]} à {HOSTS[-1]}")
    return Variables(
        network=checked("network", network, _is_network),
        postgres_version=checked("postgres_version", version, lambda it: bool(_VERSION.fullmatch(it))),
        client_host=int(
            checked("client_host", host, lambda it: it.isascii() and it.isdigit() and int(it) in HOSTS)
        ),
    )  # fmt: skip


def _is_network(text: str) -> bool:
    try:
        ipaddress.IPv4Network(f"{text}.0/24")
    except ValueError:
        return False
    return True


def _line_of(path: Path, key: str) -> int | None:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.strip().startswith(f"{key}:")), None)


def load_topology(lab: str | None = None, inventory: Path = INVENTORY) -> Topology:
    """The topology of ``lab``: as it was built where it is there, else as it would be built.

    Raises :class:`InvalidLabName` and :class:`BadInventory`.
    """
    lab = validate_lab_name(lab or default_lab())
    variables, hosts = _inventory(inventory)
    network = _network_of(lab, variables.network)
    bridge = "lxcbr0" if lab == MAIN else f"{interface_prefix(network)}-br"
    description = LabPaths(lab).description
    if description.exists():
        built = json.loads(description.read_text(encoding="utf-8"))
        network, bridge = built["network"], built["bridge"]
    prefix = interface_prefix(network)
    return Topology(
        lab=lab,
        network=network,
        bridge=bridge,
        nodes=tuple(NodeSpec(name, role, f"{network}.{host}", f"{prefix}-{name}") for name, role, host in hosts),
        postgres_version=variables.postgres_version,
        client_address=f"{network}.{variables.client_host}",
    )
