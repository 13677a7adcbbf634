"""SQL on nodes, and a DataFrame with a column for the node: what ``%%sql`` does (``sqlcell.py``)."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pandas as pd
import psycopg

from labhelpers.errors import LabError, PostgresUnreachable
from labhelpers.i18n import tr
from labhelpers.magics.errors import Interrupted
from labhelpers.postgres import answer_within
from labhelpers.waiting import physical_wait
from labhelpers.widgets.look import MUTED, escape

_TAG = re.compile(r"[A-Z]+(?: [A-Z]+)*(?: \d+)*")
STATEMENT_SECONDS = 60.0
"""What a cell's statements may take. Connecting has the client's own, shorter bound."""

SHOWN_ROWS = 40


def shown(value: object) -> str:
    """A value as psql would show it: nothing for NULL."""
    return "" if value is None or value is pd.NA or value != value else str(value)


class NodeFrame(pd.DataFrame):
    """A DataFrame that shows itself without the running number of its rows."""

    @property
    def _constructor(self) -> type[NodeFrame]:
        return NodeFrame

    def _repr_html_(self) -> str:
        frame = pd.DataFrame(self).head(SHOWN_ROWS)
        right = {name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])}
        right -= {name for name in frame.columns if pd.api.types.is_bool_dtype(frame[name])}
        cell = "padding:2px 18px 2px 0;border:none;vertical-align:top;text-align:"
        line = "border-bottom:1px solid rgba(128,128,128,0.4)"

        def row(tag: str, values: Iterable[tuple[object, object]], look: str = "") -> str:
            cells = (
                f'<{tag} style="{cell}{"right" if name in right else "left"};{look}">{escape(shown(value))}</{tag}>'
                for name, value in values
            )
            return f'<tr style="background-color:transparent">{"".join(cells)}</tr>'

        head = row("th", ((name, name) for name in frame.columns), line)
        body = "".join(row("td", zip(frame.columns, values, strict=True)) for values in frame.itertuples(index=False))
        more = len(self) - len(frame)
        rest = tr(f"… {more} rows more", f"… {more} lignes de plus")
        table = f'<table style="border:none;margin:2px 0"><thead>{head}</thead><tbody>{body}</tbody></table>'
        return table + (f'<div style="{MUTED}">{rest}</div>' if more > 0 else "")

    def __repr__(self) -> str:
        return str(pd.DataFrame(self).to_string(index=False, max_rows=SHOWN_ROWS, na_rep=""))


@dataclass(frozen=True, slots=True)
class Answer:
    """What one node answered: rows, or the reason why not."""

    node: str
    rows: pd.DataFrame | None
    reason: str | None = None


def first_sentence(error: BaseException) -> str:
    """PostgreSQL's message in one line: the error, then detail and hint where it has them."""
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        parts = [error.diag.message_primary, error.diag.message_detail, error.diag.message_hint]
        return " — ".join(part for part in parts if part)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def last_result(cursor: psycopg.Cursor[Any]) -> pd.DataFrame:
    """The last result set of what was executed, or what PostgreSQL says that it did."""
    rows: pd.DataFrame | None = None
    while True:
        if cursor.description:
            rows = pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])
        done = cursor.statusmessage
        if not cursor.nextset():
            break
    return rows if rows is not None else pd.DataFrame({tr("done", "fait"): [done]})


def parse_psql(output: str) -> pd.DataFrame:
    """What ``psql --csv`` printed: rows, or the tag of a statement that has none (``CREATE ROLE``).

    A column of ``t`` and ``f`` becomes true and false, one of numbers numbers where they would be printed the same: the
    name of a WAL file is digits too, and stays as it is.
    """
    text = output.strip("\n")
    if "\n" not in text and (not text or _TAG.fullmatch(text)):
        return pd.DataFrame({tr("done", "fait"): [text or tr("nothing to do", "rien à faire")]})
    frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, na_values=[""])
    return frame.apply(_typed) if len(frame) else frame


def _typed(column: pd.Series[Any]) -> pd.Series[Any]:
    values = column.dropna()
    if column.isin(["t", "f"]).all():
        return column == "t"
    if len(values) and values.map(_is_printed_as(int)).all():
        return column.astype("Int64")
    if len(values) and values.map(_is_printed_as(float)).all():
        return column.astype(float)
    return column


def _is_printed_as(kind: type[int] | type[float]) -> Callable[[str], bool]:
    def same(text: str) -> bool:
        try:
            return str(kind(text)) == text and abs(kind(text)) < 2**63
        except ValueError:
            return False

    return same


def ask_over_tcp(lab: Any, node: str, sql: str, *, user: str, database: str, timeout: float) -> Answer:
    """Connect to ``node`` as an application does and execute ``sql``, for at most ``timeout`` seconds.

    A refusal is in the answer, not raised.
    """
    try:
        with (
            lab.postgres.connect(node, user=user, dbname=database) as connection,
            answer_within(connection, node, timeout),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)
            return Answer(node, last_result(cursor))
    except PostgresUnreachable as error:
        return Answer(node, None, error.reason)
    except (psycopg.Error, LabError) as error:
        return Answer(node, None, first_sentence(error))


@physical_wait()
def ask_all_over_tcp(
    lab: Any, nodes: Sequence[str], sql: str, *, user: str, database: str, timeout: float = STATEMENT_SECONDS
) -> list[Answer]:
    """The same on several nodes side by side, ``timeout`` in seconds for each: one that is silent does not delay the
    others.

    Raises :class:`Interrupted` where Ctrl-C ends it.
    """
    pool = ThreadPoolExecutor(len(nodes))
    try:
        return list(
            pool.map(lambda node: ask_over_tcp(lab, node, sql, user=user, database=database, timeout=timeout), nodes)
        )
    except KeyboardInterrupt:
        raise Interrupted(nodes) from None
    finally:
        pool.shutdown(wait=False)


def ask_through_psql(
    lab: Any, nodes: Sequence[str], sql: str, *, database: str, timeout: float = STATEMENT_SECONDS
) -> list[Answer]:
    """Run ``psql`` on the nodes as ``postgres``: works before any connection from outside is allowed.

    ``timeout`` is in seconds; a refusal is in the answer, not raised.
    """
    script = (
        f"psql -X --csv -v ON_ERROR_STOP=1 -v SHOW_ALL_RESULTS=off -v VERBOSITY=default "
        f"-d {shlex.quote(database)} -c {shlex.quote(sql)}"
    )
    answers = []
    for result in lab.nodes.try_run(nodes, script, user="postgres", timeout=timeout):
        if result.ok:
            answers.append(Answer(result.node, parse_psql(result.stdout)))
        else:
            said = [line for line in result.stderr.splitlines() if line.strip()]
            errors = [re.sub(r"^(psql: )?(ERROR|error|FATAL):\s*", "", line) for line in said]
            answers.append(Answer(result.node, None, errors[0] if errors else result.error or str(result.exited)))
    return answers


def assemble(answers: Sequence[Answer]) -> NodeFrame:
    """One frame from all nodes' answers, with the column ``node`` first. Refusals are rows too."""
    frames = []
    for answer in answers:
        rows = answer.rows if answer.rows is not None else pd.DataFrame({tr("refused", "refusé"): [answer.reason]})
        rows = rows.copy()
        rows.insert(0, "node", answer.node, allow_duplicates=True)
        frames.append(rows)
    return NodeFrame(pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0])
