"""Statements of the audit trail on a terminal: as a table, or line by line while they happen.

What doesn't belong: where they come from. Nothing in them is taken for markup or for control of the terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from penstock_cli.terminal_text import printable

_DECISIONS = {"allow": ("allowed", "green"), "rewrite": ("masked", "blue"), "deny": ("denied", "red")}


# Below it the columns leave so little to the SQL that names are broken.
_TABLE_WIDTH = 110


def table(statements: Iterable[Mapping[str, Any]]) -> None:
    """A table, latest first as given; on a narrow terminal, each statement below a line of its particulars."""
    console = Console()
    if console.width < _TABLE_WIDTH:
        for one in statements:
            identity, result = printable(one["identity"]), printable(_result(one))
            console.print(Text("  ").join([when(one), Text(identity), _decision(one), Text(result, "dim")]))
            console.print(Padding(_what(one), (0, 0, 0, 4)))
        return
    shown = Table(box=None, pad_edge=False, header_style="bold", expand=not console.is_terminal)
    for name, options in {
        "TIME": {"no_wrap": True},
        "IDENTITY": {"overflow": "fold"},
        "DECISION": {"no_wrap": True},
        "STATEMENT": {"overflow": "fold", "ratio": 1},
        "RESULT": {"no_wrap": True, "justify": "right"},
    }.items():
        shown.add_column(name, **options)  # type: ignore[arg-type] # each column has options of its own
    for one in statements:
        shown.add_row(when(one), printable(one["identity"]), _decision(one), _what(one), printable(_result(one)))
    console.print(shown)


class Lines:
    """Prints statements as they come: each when it begins, and a line of its result when it ends."""

    def __init__(self) -> None:
        self._console = Console(soft_wrap=True)
        self._begun: dict[int, None] = {}

    def show(self, one: Mapping[str, Any]) -> None:
        begun = one["id"] in self._begun
        if begun:
            line = Text.assemble(when(one), " ", Text(f"  ↳ {printable(_result(one))}", "dim"))
        else:
            result = "" if one["result"] is None else f"  ↳ {printable(_result(one))}"
            line = Text.assemble(
                when(one), " ", _decision(one), " ", printable(one["identity"]), "  ", _what(one), Text(result, "dim")
            )
        self._begun[one["id"]] = None
        # Only to tell results from beginnings: the latest will do.
        while len(self._begun) > 10_000:
            del self._begun[next(iter(self._begun))]
        self._console.print(line)


def when(one: Mapping[str, Any]) -> Text:
    """When it was recorded."""
    time = printable(one["time"])
    return Text(f"{time[:10]} {time[11:23]}", "dim")


def _decision(one: Mapping[str, Any]) -> Text:
    word, colour = _DECISIONS.get(one["decision"], (printable(one["decision"]) or "?", "yellow"))
    text = Text(word, colour)
    if one["observed"] and one["observed"] != one["decision"]:
        would_be = _DECISIONS.get(one["observed"], (printable(one["observed"]), ""))[0]
        text.append(f" (would be {would_be})", "yellow")
    return text


def _what(one: Mapping[str, Any]) -> Text:
    text = Text(printable(one["sql"]) or "(SQL not stored)")
    if one["masked"]:
        text.append(f"  masked {printable(', '.join(one['masked']))}", "blue")
    if one["reason"]:
        text.append(f"  {printable(one['reason'])}", "red")
    return text


def _end(one: Mapping[str, Any]) -> str:
    """What became of what was done, where the statement's own result does not tell."""
    ends = {"rollback": ", rolled back", "prepared": ", prepared", "unknown": ", its transaction's end unknown"}
    return ends.get(str(one.get("transaction_end")), "")


def _result(one: Mapping[str, Any]) -> str:
    match one["result"]:
        case None:
            return "running"
        case "ok":
            rows = one["rows"]
            return ("done" if rows is None else f"{rows} row{'' if rows == 1 else 's'}") + _end(one)
        case "error":
            return f"error {one['sqlstate']}"
        case "unexecuted":
            return "not executed"
        case "unknown" if one.get("unknown"):
            return f"unknown: {printable(one['unknown'])}"
        case "skipped":
            return "skipped, since what came before it failed"
        case "unknown" if one["rows"]:
            return f"unknown, at least {one['rows']} row{'' if one['rows'] == 1 else 's'}"
        case other:
            return str(other)
