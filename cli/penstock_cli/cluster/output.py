"""What commands on a cluster print: a table for people, JSON or YAML for programs.

What doesn't belong: what stands in it. Nothing in it is taken for markup or for control of the terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

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
    console = Console(soft_wrap=True, highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in columns:
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(_cell(row.get(key)))) for key in columns.values()))
    console.print(table, crop=False, width=max(console.width, console.measure(table).maximum))


def _cell(value: object) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
