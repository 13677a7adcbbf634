"""Chapter 02: seven nodes with their addresses, which know each other by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from labhelpers.checks.probes import ask, magic
from labhelpers.checks.registry import Finding, check
from labhelpers.containers import Containers
from labhelpers.host import bridge_is_up
from labhelpers.i18n import tr
from labhelpers.meant import command
from labhelpers.topology import load_topology, scratch_lab_name

if TYPE_CHECKING:
    from labhelpers.lab import Lab


@check(
    "02.nodes",
    chapter="02",
    en="Seven nodes run, each with its address",
    fr="Sept nœuds tournent, chacun avec son adresse",
)
def nodes(lab: Lab) -> Iterator[Finding]:
    facts, silent = ask(lab, lab.topology.names, {"addresses": "ip -4 -o addr show scope global | awk '{print $4}'"})
    yield from silent
    for node, fact in facts.items():
        wanted = lab.topology.node(node).address
        found = [address.partition("/")[0] for address in fact["addresses"].split()]
        if wanted not in found:
            yield Finding(
                "address",
                node,
                tr(
                    f"its address is {', '.join(found) or 'missing'}",
                    f"son adresse : {', '.join(found) or 'aucune'}",
                ),
                wanted,
                tr("What does `ip -4 addr` say on the node?", "Que dit `ip -4 addr` sur le nœud ?"),
                tr(
                    "The set-up gives each node its address: run it again, it changes only what is wrong.",
                    "La mise en place donne son adresse à chaque nœud : relancez-la, elle ne corrige que ce "
                    "qui est faux.",
                ),
                command("up", lab.topology.lab),
            )


@check("02.hosts", chapter="02", en="Every node knows all names", fr="Chaque nœud connaît tous les noms")
def hosts(lab: Lab) -> Iterator[Finding]:
    facts, silent = ask(lab, lab.topology.names, {"hosts": "cat /etc/hosts"})
    yield from silent
    for node, fact in facts.items():
        table = parse_hosts(fact["hosts"])
        missing = [spec.name for spec in lab.topology.nodes if spec.name not in table]
        wrong = [
            f"{spec.name} → {table[spec.name]}"
            for spec in lab.topology.nodes
            if spec.name in table and table[spec.name] != spec.address
        ]
        lines = "\n".join(f"{spec.address} {spec.name}" for spec in lab.topology.nodes)
        if missing:
            yield Finding(
                "hosts-missing",
                node,
                tr(f"/etc/hosts lacks {', '.join(missing)}", f"/etc/hosts n'a pas {', '.join(missing)}"),
                tr("a line for each of the seven nodes", "une ligne pour chacun des sept nœuds"),
                tr(
                    "Compare /etc/hosts of this node with another's.",
                    "Comparez /etc/hosts de ce nœud avec celui d'un autre.",
                ),
                tr("Add the missing lines.", "Ajoutez les lignes qui manquent."),
                f"%%file /etc/hosts {node} --append\n{lines}",
            )
        if wrong:
            yield Finding(
                "hosts-wrong",
                node,
                f"/etc/hosts: {', '.join(wrong)}",
                tr("each name leads to the node's own address", "chaque nom mène à l'adresse du nœud"),
                tr("The first line that has a name wins.", "La première ligne qui porte un nom l'emporte."),
                tr(
                    "Correct the address, or take the wrong line out.",
                    "Corrigez l'adresse, ou retirez la ligne fautive.",
                ),
                magic(
                    node,
                    "\n".join(
                        f"sed -i -E 's/^[0-9.]+([[:space:]].*\\b{spec.name}\\b)/{spec.address}\\1/' /etc/hosts"
                        for spec in lab.topology.nodes
                        if table.get(spec.name, spec.address) != spec.address
                    ),
                ),
            )


@check(
    "02.scratch-gone",
    chapter="02",
    en="The second lab is gone, and its network with it",
    fr="Le second lab a disparu, et son réseau avec lui",
)
def scratch_gone(lab: Lab) -> Iterator[Finding]:
    scratch = load_topology(scratch_lab_name(lab.topology.lab))
    left = [node for node, state in Containers(scratch).states().items() if state != "absent"]
    if bridge_is_up(scratch):
        left.append(scratch.bridge)
    if left:
        yield Finding(
            "scratch-left",
            scratch.lab,
            tr(f"there still are: {', '.join(left)}", f"il reste : {', '.join(left)}"),
            tr("nothing of it is left", "il n'en reste rien"),
            tr(
                "How did the teardown end? Its last line counts what failed.",
                "Comment la démolition s'est-elle terminée ? Sa dernière ligne compte les échecs.",
            ),
            tr("Tear it down again: it may be repeated.", "Démolissez-le de nouveau : cela peut se répéter."),
            command("down", scratch.lab),
        )


def parse_hosts(text: str) -> dict[str, str]:
    """Name → address as the resolver reads it: the first line that has the name; IPv6 and comments are left out."""
    table: dict[str, str] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if ":" in address:
            continue
        for name in names:
            table.setdefault(name, address)
    return table
