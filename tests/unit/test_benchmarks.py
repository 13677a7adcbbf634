"""What the benchmarks make of what they measured; the measuring itself needs a machine."""

from __future__ import annotations

import pytest

import benchmarks.__main__ as whole
from benchmarks import labs
from labhelpers.errors import LabError


def test_all_but_the_long_one_run_unless_asked_for() -> None:
    names = [benchmark.name for benchmark in whole.chosen([], loss=False)]
    assert names == ["lab", "labs", "goto", "observe", "kernels"]
    assert [benchmark.name for benchmark in whole.chosen([], loss=True)] == [*names, "loss"]
    assert [benchmark.name for benchmark in whole.chosen(["kernels", "labs"], loss=False)] == ["labs", "kernels"]
    assert [benchmark.name for benchmark in whole.chosen(["labs"], loss=True)] == ["labs", "loss"]


@pytest.mark.parametrize("benchmark", whole.BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_every_benchmark_takes_the_arguments_it_is_called_with(benchmark: whole.Benchmark, capsys) -> None:
    """``--help`` after them: they are parsed, and nothing runs."""
    asked = whole.Benchmark(benchmark.name, benchmark.title, (*benchmark.arguments, "--help"))
    with pytest.raises(SystemExit) as ended:
        asked.run()
    assert ended.value.code == 0
    assert f"benchmarks.{benchmark.name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("problem", "told"),
    [(LabError("no way out"), "✗ no way out"), (AssertionError("no commit"), "✗ AssertionError('no commit')")],
)
def test_one_that_fails_is_told_and_keeps_what_it_said(
    monkeypatch: pytest.MonkeyPatch, problem: Exception, told: str
) -> None:
    def fail(self: whole.Benchmark) -> int:
        print("| half | a table |")
        raise problem

    monkeypatch.setattr(whole.Benchmark, "run", fail)
    section = whole.measure(whole.BENCHMARKS[0])
    assert not section.reached
    assert section.text == f"| half | a table |\n\n{told}"
    text = whole.report([section])
    assert "## How long a lab takes ✗" in text and "`python -m benchmarks.lab --runs 3 --from-nothing`" in text


def test_growth_is_of_all_labs_together() -> None:
    one = labs.Together(1, 4.0, 50e6, 5e6)
    four = labs.Together(4, 10.0, 51e6, 20e6)
    assert labs.sentence([one, four]) == (
        "From 1 to 4 labs: the time to SSH × 2.5 (less than linear); memory × 4.1 (linear); "
        "disk × 16.0 (more than linear)."
    )
    assert labs.sentence([one]) == ""


def test_memory_that_is_not_accounted_for_is_unknown() -> None:
    row = labs.Together(2, 6.0, None, 5e6)
    assert "| 2 | 6.0 s | 3.0 s | unknown | 4.8 MiB |" in labs.table([row])
    assert "memory" not in labs.sentence([labs.Together(1, 4.0, 50e6, 5e6), row])


@pytest.mark.parametrize(
    "text",
    ["anon 100\nfile 5000\nshmem 20\n", "cache 9\nrss 1\ntotal_cache 5000\ntotal_rss 100\ntotal_shmem 20\n"],
)
def test_memory_is_read_from_both_versions_of_cgroups_without_the_cache(text: str) -> None:
    assert labs.held_bytes(text) == 120
