"""Alarms on a terminal: by kind and sender, or one by one; those that stand, and those that are over.

What doesn't belong: where they come from (`collector_client.py`). Nothing in them commands the terminal.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import click

from penstock_cli.terminal_text import one_line, printable
from penstock_cli.unix_time import moment

Alarm = Mapping[str, Any]


def cards(found: Sequence[Alarm]) -> None:
    """What stands, together by kind, the worst first."""
    if not found:
        click.echo("no alarm stands")
    for card in found:
        streams, senders = int(card["streams"]), int(card["senders"])
        what = f"{_count(streams, 'stream')} of {_count(senders, 'sender')}"
        click.echo(f"{printable(card['kind'])}  {what}, {_span(card)}")
        for one in card["owners"]:
            click.echo(f"    {_owner(one)}  {_count(int(one['streams']), 'stream')}")
            for example in one["examples"]:
                click.echo(f"        {_stream(example)}  {one_line(example['detail'])}")
        if senders > len(card["owners"]):
            click.echo(f"    and {_count(senders - len(card['owners']), 'more sender')}")
        # Up to the last that was seen here: what is raised meanwhile stands.
        kind = shlex.quote(printable(card["kind"]))
        click.echo(f"    penstock alarms acknowledge {kind} --until {float(card['latest'])!r} --comment '…'")


def standing(found: Sequence[Alarm]) -> None:
    """Each in a line."""
    if not found:
        click.echo("no such alarm stands")
    for one in found:
        click.echo(f"{printable(one['kind'])}  {_stream(one)}  {_owner(one)}  {_span(one)}  {one_line(one['detail'])}")


def past(found: Sequence[Alarm]) -> None:
    """Each in a line, with how it ended."""
    if not found:
        click.echo("no such alarm is over")
    for one in found:
        by = f"acknowledged by {one_line(one['cleared_by'])}" if one["cleared_by"] else "ended by itself"
        comment = f": {one_line(one['comment'])}" if one["comment"] else ""
        span = f"{moment(one['since'])} to {moment(one['cleared'])}"
        told = f"{one_line(one['detail'])}; {by}{comment}"
        click.echo(f"{printable(one['kind'])}  {_stream(one)}  {_owner(one)}  {span}  {told}")


def _owner(one: Alarm) -> str:
    return one_line(one["owner"]) or "the collector"


def _stream(one: Alarm) -> str:
    return one_line(one["stream"]) or "the collector"


def _span(one: Alarm) -> str:
    since, latest = moment(one["since"]), moment(one["latest"])
    times = f", {one['count']:,} times" if one["count"] > 1 else ""
    return f"since {since}{times}" + (f", latest {latest}" if latest != since else "")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
