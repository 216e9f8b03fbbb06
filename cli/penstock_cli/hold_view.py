"""Legal holds on a terminal.

What doesn't belong: where they come from (`collector_client.py`). Nothing in them commands the terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from penstock_cli.terminal_text import one_line
from penstock_cli.unix_time import moment

Hold = Mapping[str, Any]


def several(found: Sequence[Hold]) -> None:
    """Each in two lines."""
    if not found:
        click.echo("no hold stands")
    for one in found:
        lifted = one["released_at"] is not None
        click.echo(f"{int(one['id'])}  {'lifted' if lifted else 'held'}  {_covers(one)}: {one_line(one['reason'])}")
        set_ = f"set by {one_line(one['set_by'])} {moment(one['set_at'])}"
        then = f"; lifted by {one_line(one['released_by'])} {moment(one['released_at'])}" if lifted else ""
        click.echo(f"    {set_}{then}")


def _covers(one: Hold) -> str:
    parts = [(one["stream"], "stream"), (one["database"], "database"), (one["since"], "from"), (one["until"], "to")]
    return ", ".join(f"{what} {one_line(value)}" for value, what in parts if value)
