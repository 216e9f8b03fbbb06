"""What commands print for programs: a line of JSON for each thing, whatever it is.

What doesn't belong: words for people (the views).
"""

from __future__ import annotations

from collections.abc import Iterable

import click

from penstock_cli.terminal_text import json_line


def show(found: Iterable[object]) -> None:
    """Print them; what is not ASCII stays readable, and what could command the terminal is escaped."""
    for one in found:
        click.echo(json_line(one))
