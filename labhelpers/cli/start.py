"""``workshop start``: the lab, then JupyterLab open on the course."""

from __future__ import annotations

import os

import click

from labhelpers.cli.options import lab_option
from labhelpers.i18n import LANGUAGES, Language, tr
from labhelpers.meant import command


@click.command()
@lab_option
@click.option("--language", "spoken", type=click.Choice(LANGUAGES), help="Default: the one that the browser asks for.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8888, show_default=True, help="JupyterLab's, on this machine."
)
@click.option("--no-browser", is_flag=True, help="Only say the address.")
def start(lab: str, spoken: Language | None, port: int, no_browser: bool) -> None:
    """Build the lab if need be, and open the course in JupyterLab (on this machine alone, with a token)."""
    from labhelpers.cli.lab import ensure_up
    from labhelpers.course import frontend, landing
    from labhelpers.course.chapters import chapter_files, notebooks_directory
    from labhelpers.course.kernels import KERNELS, ensure_kernels, environment
    from labhelpers.errors import LabError
    from labhelpers.host import require_root_without_terminal
    from labhelpers.paths import LabPaths

    root = notebooks_directory()
    first = chapter_files()[0]
    require_root_without_terminal()
    ensure_up(lab)
    ensure_kernels()
    frontend.ensure_settings()
    paths = LabPaths(lab)
    directory = paths.root / "jupyter"
    frontend.ensure_workspaces(directory / "workspaces", first)
    os.environ.update(environment(lab))
    os.environ["SHELL"] = "/bin/bash"
    if spoken:
        os.environ[landing.CHOSEN] = spoken
    shell = ["/bin/bash", "--rcfile", str(frontend.terminal_files(paths, directory)), "-i"]

    options: dict[str, object] = {
        "ServerApp.ip": "localhost",
        "ServerApp.port": port,
        "ServerApp.root_dir": root,
        "ServerApp.jpserver_extensions": {"labhelpers.course.landing": True},
        "ServerApp.terminado_settings": {"shell_command": shell},
        "ServerApp.open_browser": not no_browser and _has_desktop(),
        "ServerApp.allow_root": os.geteuid() == 0,
        "ServerApp.answer_yes": True,
        "ServerApp.log_level": "ERROR",
        "LabApp.log_level": "ERROR",
        "LabApp.default_url": landing.PATH,
        "LabApp.workspaces_dir": directory / "workspaces",
        "LabApp.news_url": None,
        "KernelSpecManager.ensure_native_kernel": False,
    }
    argv = [f"--{name}={value}" for name, value in options.items()]
    argv += [f"--KernelSpecManager.allowed_kernelspecs={kernel.name}" for kernel in KERNELS.values()]

    from jupyterlab.labapp import LabApp

    try:
        LabApp.launch_instance(argv=argv)
    except SystemExit as end:
        if end.code not in (None, 0):
            another = command("start --port 8889")
            raise LabError(
                tr(
                    f"JupyterLab could not start; what it said is above. If the port is taken, another: {another}",
                    "JupyterLab n'a pas pu démarrer ; ce qu'il a dit est ci-dessus. Si le port est occupé, un autre : "
                    f"{another}",
                )
            ) from None


def _has_desktop() -> bool:
    """Whether a browser would open in a window: on a server, Python's own choice would be a text browser."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
