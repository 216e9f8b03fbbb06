"""Results of tools, made of what came back from the gate: shortened, worded, and marked for what it is.

What doesn't belong: running anything (`calls.py`), the forms of results (`results.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock_agents.tools import words
from penstock_agents.tools.results import Column, Cut, Failure, Request, StatementAnswer, Value
from penstock_agents.tools.values import shown
from penstock_agents.tools.words import Status

_LONGEST_NAME = 256


def rows_answer(
    columns: Sequence[tuple[str, str, int]], rows: Sequence[Sequence[bytes | None]], characters: int, *, more: bool,
    affected: int | None, notices: Sequence[str], writes: bool,
) -> StatementAnswer:  # fmt: skip
    """A statement that succeeded."""
    shown_rows: list[list[Value]] = []
    cut: list[Cut] = []
    for number, row in enumerate(rows):
        values: list[Value] = []
        for place, raw in enumerate(row):
            value, length = shown(raw, columns[place][2], characters)
            values.append(value)
            if length:
                cut.append(Cut(row=number, column=place, characters=length))
        shown_rows.append(values)
    steps = [words.MORE_RETURNED if writes else words.MORE_ROWS] if more else []
    return StatementAnswer(
        status="done",
        columns=[Column(name=name[:_LONGEST_NAME], type=kind) for name, kind, _ in columns],
        rows=shown_rows,
        more=more,
        cut=cut,
        rows_affected=affected if writes else None,
        notices=list(notices),
        next_step=" ".join([*steps, *([words.CUT] if cut else [])]),
    )


def failed_answer(status: Status, failure: Failure, request: Request | None = None) -> StatementAnswer:
    """A statement that did not run, or did not succeed."""
    return StatementAnswer(status=status, failure=failure, request=request, next_step=failure.next_step)
