"""A small course and its executed notebooks as a run would leave them, made without a lab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat

from labhelpers.charts.frozen import bundle
from labhelpers.charts.incident import headline, incident_figure
from labhelpers.course.chapters import read_course
from labhelpers.course.generate import generate
from labhelpers.i18n import LANGUAGES, Language
from labhelpers.observe.outage import measure_outage
from labhelpers.observe.recordings import Recording
from labhelpers.prediction import predict
from tests.unit import scenes

SOURCES = {
    "05_switchover": """---
title: {en: Switchover, fr: Bascule}
minutes: 30
---
+++ {"lang": "en", "anchor": "start"}

# 05 · Switchover

The machine under the primary gets new memory. A **lease** is what the leader holds.

| | |
|---|---|
| **You need** | a leader and two streaming replicas |

+++ {"lang": "fr", "anchor": "start"}

# 05 · Bascule

La machine du primaire reçoit de la mémoire. Le leader tient un **bail**.

| | |
|---|---|
| **Il vous faut** | un leader et deux secondaires en réplication |

+++ {"lang": "en", "anchor": "healthy"}

## Begin with a healthy cluster

Look before you act. The words are in the [glossary](99_glossary.ipynb#lease).

<details><summary>In a terminal</summary>

```bash
ssh pg-1 sudo -iu postgres patronictl list
```
</details>

+++ {"lang": "fr", "anchor": "healthy"}

## Partir d'un agrégat en bonne santé

Regardez avant d'agir. Les mots sont dans le [glossaire](99_glossary.ipynb#lease).

<details><summary>Dans un terminal</summary>

```bash
ssh pg-1 sudo -iu postgres patronictl list
```
</details>

```{code-cell} ipython3
%%on pg-1 --user postgres
patronictl list
```

```{code-cell} ipython3
:tags: [solution]

%%sql pg-1
SELECT pg_is_in_recovery();
```

+++ {"lang": "en", "anchor": "cost"}

## What it cost

+++ {"lang": "fr", "anchor": "cost"}

## Qu'est-ce que cela a coûté ?

```{code-cell} ipython3
rec.show()
```

```{code-cell} ipython3
lab.patroni.cluster()
```
""",
    "06_loss": """---
title: {en: Loss of the DCS, fr: Perte du DCS}
minutes: 20
---
+++ {"lang": "en", "anchor": "gone"}

# 06 · Loss of the DCS

The arbiters are gone: https://www.postgresql.org/docs/17/continuous-archiving.html

+++ {"lang": "fr", "anchor": "gone"}

# 06 · Perte du DCS

Les arbitres ont disparu : https://www.postgresql.org/docs/17/continuous-archiving.html

```{code-cell} ipython3
%%file /etc/patroni/dcs.yml pg-1
etcd3:
  hosts: e1:2379
```
""",
    "99_glossary": """---
title: {en: Glossary, fr: Glossaire}
---
+++ {"lang": "en", "anchor": "words"}

# Glossary

<a id="lease"></a>**lease** — A right that ends by itself unless it is renewed.

+++ {"lang": "fr", "anchor": "words"}

# Glossaire

<a id="lease"></a>**bail** : Un droit qui finit de lui-même s'il n'est pas renouvelé.
""",
}
HOSTILE = (
    '<script src="https://example.org/x.js"></script><script>alert(1)</script><link rel="stylesheet" '
    'href="https://example.org/x.css"><img src="https://example.org/x.png" alt="a map"><b onclick="x()">bold</b>'
)
LISTING = "+ Cluster: 17-main +\n| pg-1 | Leader | running |\n" + "\n".join(f"log line {n}" for n in range(60))


def write_course(directory: Path) -> Path:
    """``notebooks/`` of the small course: its sources and the generated notebooks."""
    (directory / "src").mkdir(parents=True)
    for name, text in SOURCES.items():
        (directory / "src" / f"{name}.md").write_text(text, encoding="utf-8")
    generate(read_course(directory), directory)
    return directory


def execute(
    notebooks: Path,
    runs: Path,
    chapter: str,
    language: Language,
    *,
    at: str = "2026-11-24T03:00:00",
    stop: bool = False,
) -> Path:
    """The chapter as papermill leaves it in ``runs``; ``stop``: its last cell failed."""
    notebook = nbformat.read(notebooks / language / f"{chapter}.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(cells, start=1):
        cell.execution_count = number
        cell.outputs = _outputs(cell.source)
    if stop:
        cells[-1].outputs = [nbformat.v4.new_output("error", ename="WaitTimeout", evalue="waited 30 s", traceback=[])]
    notebook.metadata.papermill = {"end_time": at, "exception": stop or None}
    runs.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, runs / f"{chapter}.ipynb")
    return runs / f"{chapter}.ipynb"


def execute_all(notebooks: Path, runs: Path) -> Path:
    """Chapter 05 in both languages; 06 in neither."""
    for language in LANGUAGES:
        execute(notebooks, runs / language, "05_switchover", language)
    return runs


def _outputs(source: str) -> list[Any]:
    new = nbformat.v4.new_output
    if source.startswith("%%on"):
        return [new("stream", name="stdout", text=LISTING)]
    if source.startswith("rec"):
        return [new("display_data", data=chart())]
    if source.startswith("lab"):
        return [new("execute_result", data={"text/html": HOSTILE, "text/plain": "a table"}, execution_count=1)]
    return [new("execute_result", data={"text/plain": "done"}, execution_count=1)]


def chart() -> dict[str, Any]:
    """The forms of a real figure, of a recorded scene."""
    recording = Recording(scenes.frozen_primary(end=40.0))
    outage = measure_outage(recording, prediction=predict("lease"))
    return bundle(incident_figure(recording, outage), headline(recording, outage, []))
