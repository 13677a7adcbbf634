"""``workshop warmup``, ``up``, ``down``, ``status``: the lab's life."""

from __future__ import annotations

import json
import time

import click

from labhelpers.cli.options import lab_option
from labhelpers.cli.progress import steps
from labhelpers.i18n import bytes_text, duration, tr
from labhelpers.meant import command


@click.command()
def warmup() -> None:
    """Build the nodes' image only, so that a class can start offline."""
    from labhelpers.lifecycle import warm_up

    started = time.monotonic()
    with steps() as report:
        image = warm_up(report)
    took = duration(time.monotonic() - started)
    click.echo(tr(f"The image {image.name} is there ({took}).", f"L'image {image.name} est là ({took})."))


@click.command()
@lab_option
def up(lab: str) -> None:
    """Build the lab, or bring it back with its data: done when SSH answers on every node."""
    ensure_up(lab)


def ensure_up(lab: str) -> None:
    """Build the lab or bring it back, with progress on the terminal. Raises :class:`HostProblem`."""
    from labhelpers import lifecycle

    started = time.monotonic()
    with steps() as report:
        changed = lifecycle.ensure_up(lab, report, lifecycle.say_waiting)
    took = duration(time.monotonic() - started)
    if changed:
        click.echo(tr(f"The lab {lab!r} is up: SSH answers on every node ({took}).",
                      f"Le lab {lab!r} est prêt : SSH répond sur chaque nœud ({took})."))  # fmt: skip
    else:
        click.echo(tr(f"The lab {lab!r} is up already.", f"Le lab {lab!r} est déjà prêt."))


@click.command()
@lab_option
@click.option("--purge", is_flag=True, help="Remove its saves too, and the image once no lab is left.")
def down(lab: str, purge: bool) -> None:
    """Destroy the lab and all it left on this machine; the image and the named saves stay."""
    from labhelpers import lifecycle

    started = time.monotonic()
    with steps() as report:
        changed = lifecycle.destroy(lab, report, lifecycle.say_waiting, purge=purge)
    took = duration(time.monotonic() - started)
    if changed:
        click.echo(tr(f"The lab {lab!r} is gone ({took}).", f"Le lab {lab!r} est détruit ({took})."))
    else:
        click.echo(tr(f"There is no lab {lab!r}: nothing to do.", f"Il n'y a pas de lab {lab!r} : rien à faire."))


@click.command()
@lab_option
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON document.")
def status(lab: str, as_json: bool) -> None:
    """The nodes, the cluster, the incidents under way, and a goto or save that was cut off."""
    from labhelpers.course.saves import unfinished_text
    from labhelpers.lab import lab_status
    from labhelpers.topology import load_topology

    seen = lab_status(load_topology(lab))
    unfinished = unfinished_text(lab)
    if as_json:
        click.echo(json.dumps({**seen.to_json(), "unfinished": unfinished}, indent=2))
        return
    if seen.is_absent:
        build = command("up", lab)
        click.echo(tr(f"The lab {lab!r} is absent. Build it: {build}",
                      f"Le lab {lab!r} est absent. Pour le construire : {build}"))  # fmt: skip
        return
    _print_tables(seen)
    if unfinished:
        click.echo(unfinished)


def _print_tables(seen: object) -> None:
    from rich.console import Console
    from rich.table import Table

    from labhelpers.cli.progress import STYLES
    from labhelpers.lab import LabStatus

    assert isinstance(seen, LabStatus)
    console = Console()
    nodes = Table(title=tr(f"Lab {seen.lab}, {seen.subnet}", f"Lab {seen.lab}, {seen.subnet}"), title_justify="left")
    for column in (tr("Node", "Nœud"), tr("Role", "Rôle"), tr("Address", "Adresse"), tr("State", "État")):
        nodes.add_column(column)
    for node in seen.nodes:
        nodes.add_row(node.name, node.role, node.address, f"[{STYLES[node.state]}]{node.state}[/]")
    console.print(nodes)
    if seen.cluster is None:
        console.print(tr("No Patroni answers here.", "Aucun Patroni ne répond ici."))
    else:
        title = tr(f"Cluster {seen.cluster.scope}", f"Agrégat {seen.cluster.scope}")
        members = Table(title=title, title_justify="left")
        for column in (tr("Member", "Membre"), tr("Role", "Rôle"), tr("State", "État"), "TL", tr("Lag", "Retard")):
            members.add_column(column)
        for member in seen.cluster.members:
            lag = "" if member.is_leader else "?" if member.lag_bytes is None else bytes_text(member.lag_bytes)
            members.add_row(member.name, member.role, member.state, str(member.timeline or "?"), lag)
        console.print(members)
    undo = command("heal", seen.lab)
    for each in seen.incidents:
        where = ", ".join(each["nodes"])
        since = each["since"]
        console.print(
            tr(f"Incident {each['kind']} on {where} since {since}. Undo it: {undo}",
               f"Incident {each['kind']} sur {where} depuis {since}. Pour l'annuler : {undo}"),
            soft_wrap=True,
        )  # fmt: skip
