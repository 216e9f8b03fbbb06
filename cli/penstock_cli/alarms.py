"""`penstock alarms`: those that stand, acknowledging them with a note, and those that are over.

What doesn't belong: talking to the collector (`collector_client.py`), what raises and ends them (the collector).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from penstock_cli import alarm_view, json_lines
from penstock_cli.collector_options import connect, connection
from penstock_cli.failures import known_answer
from penstock_cli.list_by_default import ListByDefault
from penstock_cli.terminal_text import one_line

# The collector acknowledges so many at once, and has to be told again for more.
_AT_ONCE = 10_000
_OWNER = "Only of this sender: a gate's name, or NAMESPACE/SERVICEACCOUNT; '' is the collector itself."


@click.group(cls=ListByDefault, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """List the collector's alarms, and acknowledge them. By itself: list."""


_json = click.option("--json", "as_json", is_flag=True, help="JSON lines, one for each alarm.")


@command.command("list")
@connection
@click.option("--kind", default="", help="Only of this kind, such as gap.")
@click.option("--owner", help=_OWNER)
@_json
def list_command(
    url: str | None, token_file: Path | None, ca_file: Path | None, kind: str, owner: str | None, as_json: bool
) -> None:
    """List the alarms that stand: each kind, the worst first, with its senders, and how to acknowledge it."""
    with connect(url, token_file, ca_file) as client:
        if as_json or kind or owner is not None:
            found = list(client.alarms(_query(kind, owner)))
        else:
            answer = client.alarm_cards()
            with known_answer():
                alarm_view.cards(answer["cards"])
            return
    _print(found, as_json, alarm_view.standing)


@command.command("acknowledge")
@click.argument("kind")
@connection
@click.option("--owner", help=_OWNER)
@click.option(
    "--until",
    type=click.FloatRange(0, 1e10),
    help="Only what was raised until then, as the list tells it.  [default: until now]",
)
@click.option("--comment", required=True, help="What was found; it stays with the alarm.")
def acknowledge(
    kind: str, url: str | None, token_file: Path | None, ca_file: Path | None, owner: str | None, until: float | None,
    comment: str,
) -> None:  # fmt: skip
    """Acknowledge the alarms of KIND that stand: somebody has looked at them. Your name and comment stay with them."""
    count = 0
    with connect(url, token_file, ca_file) as client:
        if until is None:
            with known_answer():
                until = float(client.alarm_cards()["time"])
        body = {"kind": kind, "until": until, "comment": comment, **({} if owner is None else {"owner": owner})}
        while True:
            more = client.acknowledge(body)
            count += more
            if more < _AT_ONCE:
                break
    if not count:
        whose = "" if owner is None else f" of {one_line(owner) or 'the collector'}"
        raise click.ClickException(f"no alarm {one_line(kind)}{whose} stands that was raised until then")
    click.echo(f"{one_line(kind)}: {count} acknowledged")


@command.command
@connection
@click.option("--kind", default="", help="Only of this kind.")
@click.option("--owner", help=_OWNER)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Show at most this many.")
@_json
def history(
    url: str | None, token_file: Path | None, ca_file: Path | None, kind: str, owner: str | None, limit: int,
    as_json: bool,
) -> None:  # fmt: skip
    """Show the alarms that are over, raised last first: when, and who acknowledged them in which words."""
    with connect(url, token_file, ca_file) as client:
        found = list(client.past_alarms(_query(kind, owner), limit))
    _print(found, as_json, alarm_view.past)


def _query(kind: str, owner: str | None) -> dict[str, str]:
    return {**({"kind": kind} if kind else {}), **({} if owner is None else {"owner": owner})}


def _print(found: list[dict[str, Any]], as_json: bool, in_words: Callable[[list[dict[str, Any]]], None]) -> None:
    if as_json:
        json_lines.show(found)
        return
    with known_answer():
        in_words(found)
