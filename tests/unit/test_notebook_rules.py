"""The eyes of the tests over the executed course: what is open on a screen, and what is a lab's secret."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nbformat
import pytest

from tests.notebooks.screen import open_lines
from tests.notebooks.secrets import leaks, leaks_in_git, secrets_of

new = nbformat.v4.new_output


@pytest.mark.parametrize(
    ("output", "lines"),
    [
        (new("stream", name="stdout", text="a\nb\n"), 2),
        (new("error", ename="X", evalue="", traceback=["one", "two\nthree"]), 3),
        (new("display_data", data={"text/plain": "a\nb\nc"}), 3),
        (new("display_data", data={"text/plain": "a\nb", "text/html": "<div><b>one</b></div>"}), 1),
        (new("display_data", data={"text/html": "<div><pre>a\nb\nc</pre><div>exit status 1</div></div>"}), 4),
        (
            new(
                "display_data",
                data={"text/html": "<details><summary>200 lines</summary><pre>a\nb</pre></details><pre>c</pre>"},
            ),
            2,
        ),
        (
            new(
                "display_data", data={"text/html": "<details open><summary>2 lines</summary><pre>a\nb</pre></details>"}
            ),
            3,
        ),
        (new("display_data", data={"text/html": "<table><tr><td>a</td></tr><tr><td>b</td></tr></table>"}), 2),
        (new("display_data", data={"application/vnd.plotly.v1+json": {}, "text/html": "<div>x</div>"}), 0),
    ],
)
def test_lines_that_stand_open_are_counted(output: nbformat.NotebookNode, lines: int) -> None:
    assert open_lines(nbformat.v4.new_code_cell("x", outputs=[output])) == lines


def test_secrets_are_found_and_public_keys_are_none(tmp_path: Path) -> None:
    keys, place = tmp_path / "keys", tmp_path / "runs"
    (keys / "host").mkdir(parents=True)
    place.mkdir()
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / "host" / "pg-1")],
        check=True, timeout=30, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    (keys / "app.secret").write_text("x" * 24, encoding="ascii")
    secrets = secrets_of(keys)
    assert {name.split(",")[0] for name in secrets} == {"app.secret", "host/pg-1"}
    (place / "known_hosts").write_text((keys / "host" / "pg-1.pub").read_text(encoding="ascii"), encoding="ascii")
    assert leaks(secrets, [place]) == []
    (place / "03.ipynb").write_text((keys / "host" / "pg-1").read_text(encoding="ascii"), encoding="ascii")
    assert {leak.split(": ")[1].split(",")[0] for leak in leaks(secrets, [place])} == {"host/pg-1"}


def test_git_is_searched_for_what_is_tracked() -> None:
    here = Path(__file__).parents[2]
    assert "LICENSE" in leaks_in_git({"x": here.joinpath("LICENSE").read_text(encoding="utf-8").splitlines()[0]}, here)
