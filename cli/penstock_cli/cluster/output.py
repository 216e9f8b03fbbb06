"""What commands on a cluster print: a table for people, JSON or YAML for programs.

What doesn't belong: what stands in it. Nothing in it is taken for markup or for control of the terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
import yaml
from rich.cells import cell_len

from penstock_cli.terminal_text import json_line, printable

# Column → the key of a row.
Columns = Mapping[str, str]
# What nobody could tell.
UNKNOWN = "unknown"


def shown(rows: Sequence[Mapping[str, Any]], output: str, columns: Columns, nothing: str) -> None:
    """The rows, each with all that it has for programs; for people, these columns of it, or that there is nothing."""
    if output != "table":
        documents(rows, output)
    elif rows:
        _table(rows, columns)
    else:
        click.echo(nothing)


def documents(rows: Iterable[Mapping[str, Any]], output: str) -> None:
    """A list, as JSON or YAML."""
    everything = [dict(row) for row in rows]
    # YAML's own printer escapes what is not printable.
    text = json_line(everything) if output == "json" else yaml.safe_dump(everything, sort_keys=False).rstrip()
    click.echo(text)


def _table(rows: Sequence[Mapping[str, Any]], columns: Columns) -> None:
    """In columns as wide as they need to be, as kubectl has them: nothing is cut off."""
    lines = [list(columns), *([printable(_cell(row.get(key))) for key in columns.values()] for row in rows)]
    widths = [max(map(cell_len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        padded = (f"{cell}{' ' * (width - cell_len(cell))}" for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _cell(value: object) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
