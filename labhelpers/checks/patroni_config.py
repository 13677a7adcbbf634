"""Judging ``/etc/patroni/dcs.yml`` and the configuration that ``pg_createconfig_patroni`` writes from it.

Format: https://patroni.readthedocs.io/en/latest/yaml_configuration.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

CLIENT_PORT = "2379"


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing wrong: its kind, what was found and what was expected, as they stand in the file."""

    key: str
    found: str
    expected: str


def read_yaml(text: str) -> tuple[dict[str, Any] | None, str]:
    """The mapping in a file, or None and why it is not one."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return None, f"{getattr(error, 'problem', None) or 'YAML'}" + (f", line {mark.line + 1}" if mark else "")
    return (document, "") if isinstance(document, dict) else (None, "not a mapping")


def hosts_of(section: Any) -> list[str]:
    """The ``host:port`` of a DCS section: ``hosts`` as text or list, or a single ``host``."""
    if not isinstance(section, Mapping):
        return []
    hosts = section.get("hosts") or section.get("host") or []
    listed = hosts.split(",") if isinstance(hosts, str) else hosts
    return [str(host).strip().removeprefix("http://") for host in listed if str(host).strip()]


def dcs_faults(document: Mapping[str, Any], addresses: Mapping[str, str], etcd: tuple[str, ...]) -> Iterator[Wrong]:
    """What is wrong in the description of the DCS: it must be ``etcd3`` with the three arbiters."""
    wanted = "etcd3: hosts: " + ", ".join(f"{node}:{CLIENT_PORT}" for node in etcd)
    if "etcd3" not in document:
        others = [
            name for name in ("etcd", "consul", "zookeeper", "raft", "kubernetes", "exhibitor") if name in document
        ]
        yield Wrong(
            "dcs-v2" if others == ["etcd"] else "dcs-none",
            ", ".join(f"{name}:" for name in others) or "—",
            wanted,
        )
        return
    if not isinstance(document["etcd3"], Mapping):
        yield Wrong("dcs-hosts", f"etcd3: {document['etcd3']}", wanted)
        return
    hosts = hosts_of(document["etcd3"])
    named = {
        addresses.get(name, name) + ":" + (port or CLIENT_PORT) for name, _, port in (h.partition(":") for h in hosts)
    }
    if named != {f"{addresses[node]}:{CLIENT_PORT}" for node in etcd}:
        yield Wrong("dcs-hosts", f"hosts: {', '.join(hosts) or '—'}", wanted)


def address_of(value: Any, addresses: Mapping[str, str]) -> str:
    """The address part of a ``host:port``, a node's name replaced by its address."""
    host = str(value or "").rpartition(":")[0]
    return addresses.get(host, host)


def config_faults(
    document: Mapping[str, Any], node: str, scope: str, addresses: Mapping[str, str], etcd: tuple[str, ...]
) -> Iterator[Wrong]:
    """What is wrong in a node's Patroni configuration."""
    if str(document.get("scope", "")) != scope:
        yield Wrong("config-scope", f"scope: {document.get('scope', '—')}", f"scope: {scope}")
    if document.get("name") != node:
        yield Wrong("config-name", f"name: {document.get('name', '—')}", f"name: {node}")
    for wrong in dcs_faults(document, addresses, etcd):
        yield Wrong("config-dcs", wrong.found, wrong.expected)
    for section, port in (("restapi", 8008), ("postgresql", 5432)):
        part = document.get(section)
        written = part.get("connect_address") if isinstance(part, Mapping) else None
        if address_of(written, addresses) != addresses[node]:
            yield Wrong("config-address", f"{section}.connect_address: {written or '—'}", f"{addresses[node]}:{port}")


def replication_login(document: Mapping[str, Any] | None) -> tuple[str, str]:
    """The role and the password that Patroni uses for replication, "" where the file has none."""
    part: Any = document or {}
    for step in ("postgresql", "authentication", "replication"):
        part = part.get(step) if isinstance(part, Mapping) else None
    if not isinstance(part, Mapping):
        return "", ""
    return str(part.get("username") or ""), str(part.get("password") or "")
