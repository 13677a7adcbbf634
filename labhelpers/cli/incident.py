"""``workshop break`` and ``workshop heal``: the same incidents as the panel's, from any terminal."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from labhelpers.cli.options import complete_nodes, lab_option, tell_what_was_cut_off
from labhelpers.i18n import tr
from labhelpers.meant import command


def complete_incidents(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The incidents whose names begin with what is typed, with their titles."""
    from labhelpers.incidents.catalogue import CATALOGUE

    return [
        CompletionItem(name, help=str(kind.title)) for name, kind in CATALOGUE.items() if name.startswith(incomplete)
    ]


@click.command(name="break")
@lab_option
@click.option(
    "--minutes",
    type=float,
    default=5.0,
    show_default=True,
    help="Minutes after which it is undone by itself; 120 at most.",
)
@click.argument("incident", required=False, shell_complete=complete_incidents)
@click.argument("nodes", nargs=-1, metavar="[NODE]...", shell_complete=complete_nodes)
def break_(lab: str, minutes: float, incident: str | None, nodes: tuple[str, ...]) -> None:
    """Inject INCIDENT, on NODE or on the node that it is meant for (the present leader, say).

    Without INCIDENT, list them all.

    It is undone by itself after its time, by `workshop heal` at once.
    """
    from labhelpers import incidents
    from labhelpers.lab import open_lab
    from labhelpers.topology import load_topology

    if incident is None:
        _list_incidents()
        return
    kind = incidents.kind_of(incident)
    load_topology(lab).expand(nodes)
    opened = open_lab(lab)
    tell_what_was_cut_off(lab)
    engine = incidents.engine(opened)
    _say(tr("looking at the cluster, to predict", "examen du cluster, pour prédire"))
    before, timing = engine.situation(), engine.world.timing()  # a prediction is made beforehand
    _say(str(kind.title))
    running = incidents.inject(opened, incident, *nodes, minutes=minutes, owned=False)
    where = " ".join(running.nodes)
    undo, prediction = command("heal", lab), kind.predicted(timing, before, running.nodes)
    click.echo(
        tr(f"{running.title}: {where}. {prediction} Undone in {minutes:g} min, or by: {undo}",
           f"{running.title} : {where}. {prediction} Se défait dans {minutes:g} min, ou par : {undo}")
    )  # fmt: skip
    click.echo(tr(f"Watch: {kind.to_watch}. After the healing: {kind.expected}",
                  f"À observer : {kind.to_watch}. Une fois réparé : {kind.expected}"))  # fmt: skip


def _say(sentence: str) -> None:
    click.echo(f"… {sentence}", err=True)


def _list_incidents() -> None:
    from labhelpers.incidents.catalogue import CATALOGUE

    width = max(len(name) for name in CATALOGUE)
    for name, kind in CATALOGUE.items():
        target = {
            "leader": tr("the leader", "le leader"), "postgres": tr("the leader", "le leader"),
            "replica": tr("a replica", "un secondaire"), "etcd-all": "etcd",
            "etcd-majority": tr("two of etcd", "deux d'etcd"), "etcd-follower": tr("one of etcd", "un d'etcd"),
            "etcd-leader": tr("etcd's leader", "le leader d'etcd"),
        }[kind.aim]  # fmt: skip
        click.echo(f"{name:<{width}}  {kind.title} — {target}")


@click.command()
@lab_option
def heal(lab: str) -> int:
    """Undo every incident, mend what was done by hand, and wait until the lab is healthy."""
    from labhelpers import incidents
    from labhelpers.lab import open_lab

    tell_what_was_cut_off(lab)
    report = incidents.heal(open_lab(lab), progress=_say)
    for sentence in report.sentences:
        click.echo(sentence)
    return 0 if report.ok else 1
