"""A batch over small chapters that need no lab: what is run, what is skipped, what the report says."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest

from labhelpers.course import batch
from labhelpers.course.chapters import chapter_files, clone_root, foundations, read_course
from labhelpers.course.errors import NotebooksMissing, ParameterTooLarge, UnknownParameter
from labhelpers.course.execute import first_line
from labhelpers.course.generate import generate
from labhelpers.course.kernels import batch_kernel_manager, sweep_sockets
from labhelpers.course.overhead import HIGHEST_OVERHEAD
from labhelpers.course.records import RunRecord
from labhelpers.course.report import report_html, write_report
from labhelpers.errors import LabError

pytestmark = pytest.mark.filterwarnings("ignore")


def add_chapter(directory: Path, name: str, *cells: str, header: str = "") -> None:
    fences = []
    for cell in cells:
        fences.append(f"```{{code-cell}} ipython3\n{textwrap.dedent(cell).strip()}\n```\n")
    text = f'---\ntitle: {{en: "{name}", fr: "{name} fr"}}\n{header}\n---\n' + "\n".join(fences)
    (directory / "src").mkdir(parents=True, exist_ok=True)
    (directory / "src" / f"{name}.md").write_text(text, encoding="utf-8")


def run(directory: Path, output: Path, language="en", **options):
    course = read_course(directory)
    generate(course, directory)
    return batch.run_batch(
        list(zip(chapter_files(directory), course, strict=True)),
        foundations=foundations(course),
        lab="test-none",
        language=language,
        output=output,
        **options,
    )


def test_chapters_pass_in_the_language_and_lab_that_were_asked_for(tmp_path):
    code = 'import os\nprint(os.environ["WORKSHOP_LANGUAGE"], os.environ["WORKSHOP_LAB"])'
    add_chapter(tmp_path, "00_first", code)
    record = run(tmp_path, tmp_path / "out", language="fr")
    assert record.passed
    [chapter] = record.chapters
    assert (chapter.outcome, chapter.title, len(chapter.cells)) == ("passed", "00_first fr", 1)
    executed = nbformat.read(tmp_path / "out" / "00_first.ipynb", as_version=4)
    assert "fr test-none" in executed.cells[0].outputs[0].text
    assert os.environ.get("WORKSHOP_LAB") != "test-none"


def test_failure_stops_its_notebook_and_what_builds_upon_it_and_nothing_else(tmp_path):
    add_chapter(tmp_path, "03_etcd", "1", "raise ValueError('e2 does not answer')", "print('too late')")
    add_chapter(tmp_path, "04_patroni", "2")
    add_chapter(tmp_path, "90_further", "3", header="builds_on: []")
    record = run(tmp_path, tmp_path / "out")
    assert [chapter.outcome for chapter in record.chapters] == ["failed", "skipped", "passed"]
    failed, skipped, _ = record.chapters
    assert [cell.outcome for cell in failed.cells] == ["passed", "failed", "not run"]
    assert failed.reason == "ValueError: e2 does not answer"
    assert "too late" not in (tmp_path / "out" / "03_etcd.ipynb").read_text(encoding="utf-8").replace("'too late'", "")
    assert "03" in (skipped.reason or "")
    assert not (tmp_path / "out" / "04_patroni.ipynb").exists()
    log = (tmp_path / "out" / (failed.log or "")).read_text(encoding="utf-8")
    assert "e2 does not answer" in log and "raise ValueError" in log
    assert not record.passed


def test_report_is_whole_and_needs_no_other_file(tmp_path):
    shown = {"kind": "outage", "name": "freeze", "seconds": 31.8, "layers": [["lease", 28.5]]}
    told = f'from IPython.display import display\ndisplay("x", metadata={{"workshop": {shown!r}}})'
    check = 'display("y", metadata={"workshop": {"kind": "check", "name": "05.leader", "passed": True}})'
    add_chapter(tmp_path, "05_switchover", told, check, "raise ValueError('<b>no</b>')")
    record = run(tmp_path, tmp_path / "out")
    write_report(record, tmp_path / "out")
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["passed"] is False
    assert [found["kind"] for found in report["chapters"][0]["findings"]] == ["outage", "check"]
    assert report["chapters"][0]["cells"][2]["reason"] == "ValueError: <b>no</b>"
    assert report["versions"]["papermill"]
    commit = report["versions"]["patroni-workshop"].split()[-1].removesuffix("-dirty")
    asked = ["git", "-c", f"safe.directory={clone_root()}", "-C", str(clone_root()), "rev-parse", "HEAD"]
    head = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert len(commit) >= 7 and head.startswith(commit), "a report says which commit it is of"
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "31.8" in page and "05.leader" in page and "lease 28.5 s" in page
    assert "<b>no</b>" not in page and "&lt;b&gt;no" in page
    assert "http://" not in page and "<script" not in page and "<link" not in page


def test_parameters_reach_the_chapters_that_have_them(tmp_path):
    add_chapter(tmp_path, "00_without", "1")
    add_chapter(tmp_path, "01_with", ":tags: [parameters]\n\nttl = 30", "print('ttl is', ttl)", header="builds_on: []")
    record = run(tmp_path, tmp_path / "out", parameters={"ttl": 20})
    assert record.passed
    assert "ttl is 20" in (tmp_path / "out" / "01_with.ipynb").read_text(encoding="utf-8")
    assert record.parameters == {"ttl": 20}
    assert '"papermill": {"parameters": {"ttl"' not in (tmp_path / "out" / "00_without.ipynb").read_text(
        encoding="utf-8"
    )
    with pytest.raises(UnknownParameter, match="ttl"):
        run(tmp_path, tmp_path / "out", parameters={"tll": 20})
    with pytest.raises(ParameterTooLarge, match="ttl 60"):
        run(tmp_path, tmp_path / "out", parameters={"ttl": 120})


def test_a_chapter_that_was_not_generated_is_named_before_anything_runs(tmp_path):
    add_chapter(tmp_path, "00_first", "1")
    with pytest.raises(NotebooksMissing, match=r"en/00_first\.ipynb"):
        batch.run_batch(
            list(zip(chapter_files(tmp_path), read_course(tmp_path), strict=True)),
            foundations={},
            lab="test-none",
            language="en",
            output=tmp_path / "out",
        )


def test_a_dead_kernel_is_a_failure_with_its_cell(tmp_path):
    add_chapter(tmp_path, "00_first", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "2")
    [chapter] = run(tmp_path, tmp_path / "out").chapters
    assert (chapter.outcome, chapter.cells[0].outcome, chapter.cells[1].outcome) == (
        "failed",
        "failed",
        "not run",
    )


def test_interrupt_leaves_a_whole_report_and_no_kernel(tmp_path):
    add_chapter(tmp_path, "00_first", "print('begun', flush=True)\nimport time\ntime.sleep(120)")
    add_chapter(tmp_path, "01_second", "1", header="builds_on: []")
    generate(read_course(tmp_path), tmp_path)
    script = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import test_course_batch as here
        from labhelpers.course.report import write_report
        record = here.run(Path({str(tmp_path)!r}), Path({str(tmp_path / "out")!r}), watcher=here.Announcing())
        write_report(record, Path({str(tmp_path / "out")!r}))
        """)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert [chapter["outcome"] for chapter in report["chapters"]] == ["interrupted", "not run"]
    left = subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in left.splitlines() if line.split()[0] == str(process.pid)]


class Announcing(batch.Silent):
    """Says when the first cell begins."""

    def cell_started(self, chapter, cell) -> None:
        print("begun", flush=True)


def test_batch_kernels_listen_on_no_port_and_leave_no_socket(tmp_path):
    code = """
    import json, glob
    from ipykernel import get_connection_file
    connection = json.load(open(get_connection_file()))
    assert connection["transport"] == "ipc", connection
    print("SOCKETS=" + connection["ip"])
    """
    add_chapter(tmp_path, "00_first", code)
    assert run(tmp_path, tmp_path / "out").passed
    text = nbformat.read(tmp_path / "out" / "00_first.ipynb", as_version=4).cells[0].outputs[0].text
    assert not Path(text.split("SOCKETS=")[1].strip()).parent.exists()


def test_sockets_of_a_killed_batch_are_swept_and_a_living_ones_are_not():
    made = "from labhelpers.course.kernels import batch_kernel_manager as m; k = m()(); print(k._sockets, flush=True)"
    ended = subprocess.run(
        [sys.executable, "-c", f"{made}; import os; os._exit(0)"], stdout=subprocess.PIPE, text=True, check=True
    )
    left = Path(ended.stdout.strip())
    living = batch_kernel_manager()()
    assert left.is_dir()
    sweep_sockets()
    assert not left.exists() and living._sockets.is_dir()
    living.cleanup_ipc_files()


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("%%on e1 e2\n\nsystemctl stop etcd\n", "%%on e1 e2 · systemctl stop etcd"),
        ("%check 03.members\n1", "%check 03.members"),
        ("\n", ""),
    ],
)
def test_a_cell_is_named_by_what_it_does(source, shown):
    assert first_line(source) == shown


class RecordedPlaces:
    """Stands for the lab's states; ``broken`` is the chapter that the lab can't be prepared for, ``kept`` those
    whose start is there as a checkpoint."""

    def __init__(self, broken: str = "", kept: tuple[str, ...] = ()) -> None:
        self.broken, self.kept, self.calls = broken, kept, []

    def prepare(self, chapter, say) -> str | None:
        self.calls.append(("prepare", chapter.number))
        if chapter.number == self.broken:
            raise LabError("the disk is nearly full")
        return "The lab is at 'after-04'." if chapter.number in self.kept else None

    def has_checkpoint(self, chapter) -> bool:
        return chapter.number in self.kept

    def versions(self) -> dict[str, str]:
        return {"Patroni": "4.0.6"}

    def remember(self, chapter, say) -> None:
        self.calls.append(("remember", chapter.number))
        raise LabError("no room for another save")


class InterruptedAfterwards(RecordedPlaces):
    def remember(self, chapter, say) -> None:
        raise KeyboardInterrupt


def test_a_ctrl_c_after_a_chapter_loses_nothing_of_it_and_ends_the_batch(tmp_path):
    add_chapter(tmp_path, "03_good", "1")
    add_chapter(tmp_path, "04_later", "1", header="builds_on: []")
    record = run(tmp_path, tmp_path / "out", places=InterruptedAfterwards())
    assert [chapter.outcome for chapter in record.chapters] == ["passed", "not run"]
    assert record.interrupted and not record.passed
    assert RunRecord.from_json(json.loads(json.dumps(record.to_json()))).interrupted


def test_the_lab_is_prepared_before_each_chapter_and_remembered_only_after_a_success(tmp_path):
    add_chapter(tmp_path, "03_good", "1")
    add_chapter(tmp_path, "04_bad", "raise ValueError('no')", header="builds_on: []")
    add_chapter(tmp_path, "05_unprepared", "1", header="builds_on: []")
    places = RecordedPlaces(broken="05")
    record = run(tmp_path, tmp_path / "out", places=places)
    assert places.calls == [("prepare", "03"), ("remember", "03"), ("prepare", "04"), ("prepare", "05")]
    assert [chapter.outcome for chapter in record.chapters] == ["passed", "failed", "failed"]
    assert record.chapters[2].reason == "the disk is nearly full"
    assert not (tmp_path / "out" / "05_unprepared.ipynb").exists()


def test_after_a_failure_a_chapter_with_a_checkpoint_runs_and_the_report_says_which(tmp_path):
    add_chapter(tmp_path, "03_bad", "raise ValueError('no')")
    add_chapter(tmp_path, "04_without", "1")
    add_chapter(tmp_path, "05_kept", "1")
    record = run(tmp_path, tmp_path / "out", places=RecordedPlaces(kept=("05",)))
    assert [chapter.outcome for chapter in record.chapters] == ["failed", "skipped", "passed"]
    assert [bool(chapter.checkpoint) for chapter in record.chapters] == [False, False, True]
    page = report_html(record, tmp_path / "out")
    assert page.count("from a checkpoint") == 1 and "after-04" in page
    assert "Patroni 4.0.6" in page and "ValueError: no" in page


def test_what_passed_before_it_was_cut_off_is_not_run_again(tmp_path):
    add_chapter(tmp_path, "00_first", f"open({str(tmp_path / 'ran')!r}, 'a').write('first ')")
    add_chapter(tmp_path, "01_second", f"open({str(tmp_path / 'ran')!r}, 'a').write('second ')")
    whole = run(tmp_path, tmp_path / "out")
    cut = dataclasses.replace(whole, chapters=whole.chapters[:1], seconds=100.0)
    assert whole.passed and not cut.passed
    assert "has not come to its end" in report_html(cut, tmp_path / "out")
    again = run(tmp_path, tmp_path / "out", earlier=RunRecord.from_json(json.loads(json.dumps(cut.to_json()))))
    assert (tmp_path / "ran").read_text(encoding="utf-8") == "first second second "
    assert again.passed and len(again.chapters) == 2 and again.resumed == 1
    assert again.chapters[0] == whole.chapters[0]
    assert again.seconds > 100.0
    assert again.started_at == whole.started_at


def test_the_time_waited_is_told_apart_from_the_rest(tmp_path):
    wait = """
    import time
    from labhelpers.waiting import wait_until
    until = time.monotonic() + 1
    wait_until(lambda: time.monotonic() > until, what="it", within=5);
    """
    add_chapter(tmp_path, "00_waits", wait)
    add_chapter(tmp_path, "01_works", "import time\ntime.sleep(0.5)", header="builds_on: []")
    record = run(tmp_path, tmp_path / "out")
    waits, works = record.chapters
    assert 1.0 <= waits.waited_seconds < waits.seconds
    assert works.waited_seconds == 0.0
    assert record.overhead == pytest.approx(record.seconds / record.waited_seconds)
    assert not (tmp_path / "out" / batch.WAITS_FILE).exists()
    assert f"{record.overhead:.2f} × ✗" in report_html(record, tmp_path / "out")
    less = dataclasses.replace(record, waited_seconds=record.seconds / HIGHEST_OVERHEAD)
    assert f"{HIGHEST_OVERHEAD:.2f} × ✓" in report_html(less, tmp_path / "out")


def test_a_chart_is_drawn_in_the_report_by_the_one_plotly_in_it(tmp_path):
    figure = f"""
    import sys
    sys.path.insert(0, {str(Path(__file__).parent)!r})
    from scenes import frozen_primary
    from labhelpers import charts
    from labhelpers.observe.recordings import Recording
    recording = Recording(frozen_primary())
    found = dict(kind="outage", name="x", seconds=31.84, sentence="pg-2 took over", lost=3)
    charts.show_frozen(charts.incident_figure(recording, title="</script>"), "pg-2 took over", report=found)
    """
    add_chapter(tmp_path, "07_loss", figure)
    record = run(tmp_path, tmp_path / "out")
    assert record.passed, record.chapters[0].reason
    [found] = record.chapters[0].findings
    assert (found["kind"], found["seconds"], found["lost"]) == ("outage", 31.84, 3)
    page = report_html(record, tmp_path / "out")
    assert "31.8 s" in page and page.count('<figure class="chart">') == 1 and "<svg" in page
    assert page.count("* plotly.js v") == 1
    assert "</script>" not in page.split('<script type="application/json">')[1].split("</figure>")[0][:-9]
    assert "<script src" not in page and "<link" not in page


def test_a_misspelt_magic_fails_with_its_sentence(tmp_path):
    add_chapter(tmp_path, "00_first", "%%no_such_magic\nx")
    [chapter] = run(tmp_path, tmp_path / "out").chapters
    assert chapter.outcome == "failed"
    assert "UsageError" in chapter.reason and "no_such_magic" in chapter.reason
