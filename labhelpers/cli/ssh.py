"""``workshop ssh`` and ``ssh-config``: the nodes by OpenSSH, as a trainee reaches them at work."""

from __future__ import annotations

import os
import shutil

import click

from labhelpers.cli.options import complete_nodes, lab_option, tell_what_was_cut_off
from labhelpers.errors import HostProblem, LabAbsent, NodeNotRunning
from labhelpers.i18n import tr


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@lab_option
@click.argument("node", shell_complete=complete_nodes)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(lab: str, node: str, command: tuple[str, ...]) -> None:
    """A shell on NODE, or a COMMAND there.

    All after NODE is passed on as it is; the exit status is the command's.
    """
    from labhelpers.containers import Containers
    from labhelpers.host import bridge_is_up
    from labhelpers.paths import LabPaths
    from labhelpers.topology import load_topology

    topology = load_topology(lab)
    name = topology.node(node).name
    paths = LabPaths(lab)
    state = Containers(topology).state(name)
    if not paths.exists or state == "absent" or not bridge_is_up(topology):
        raise LabAbsent(lab)
    if state != "running":
        raise NodeNotRunning(name, state, lab)
    tell_what_was_cut_off(lab)
    client = shutil.which("ssh")
    if client is None:
        raise HostProblem(
            tr("This machine has no ssh. Install it: sudo apt install openssh-client",
               "Cette machine n'a pas ssh. Pour l'installer : sudo apt install openssh-client")
        )  # fmt: skip
    os.execv(client, [client, "-F", str(paths.ssh_config), name, *command])


@click.command("ssh-config")
@lab_option
def ssh_config(lab: str) -> None:
    """The OpenSSH configuration of the lab: workshop ssh-config >> ~/.ssh/config, then ssh pg-1."""
    from labhelpers import handover
    from labhelpers.paths import LabPaths
    from labhelpers.topology import load_topology

    if not LabPaths(lab).exists:
        raise LabAbsent(lab)
    click.echo(handover.ssh_config(load_topology(lab)), nl=False)
