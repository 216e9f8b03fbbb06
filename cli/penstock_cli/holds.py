"""`penstock holds`: legal holds, by which the collector keeps what they cover whatever its age; setting, lifting them.

What doesn't belong: talking to the collector (`collector_client.py`), what a hold covers (the collector).
"""

from __future__ import annotations

from pathlib import Path

import click

from penstock_cli import hold_view, json_lines
from penstock_cli.collector_options import connect, connection
from penstock_cli.failures import known_answer
from penstock_cli.list_by_default import ListByDefault


@click.group(cls=ListByDefault, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """List, set and lift legal holds: nothing that one covers is dropped. By itself: list."""


_json = click.option("--json", "as_json", is_flag=True, help="JSON lines.")


@command.command("list")
@connection
@click.option("--all", "lifted_too", is_flag=True, help="Those that were lifted, too.")
@_json
def list_command(
    url: str | None, token_file: Path | None, ca_file: Path | None, lifted_too: bool, as_json: bool
) -> None:
    """List the holds that stand, latest first: what they cover, why, and who set them."""
    with connect(url, token_file, ca_file) as client:
        found = client.holds()
    with known_answer():
        shown = [one for one in found if lifted_too or one["released_at"] is None]
        (json_lines.show if as_json else hold_view.several)(shown)


@command.command("set")
@connection
@click.option("--stream", default="", help="This stream.")
@click.option("--database", default="", help="The streams of this Database.")
@click.option("--since", default="", help="Not what is before this time or day, such as 2026-11-25T09:00:00Z.")
@click.option("--until", default="", help="Not what is after it; of a day, to its end.")
@click.option("--reason", required=True, help="Why; it stays on record.")
@_json
def set_command(
    url: str | None, token_file: Path | None, ca_file: Path | None, stream: str, database: str, since: str, until: str,
    reason: str, as_json: bool,
) -> None:  # fmt: skip
    """Hold what meets all that is given: a stream, a database, a time."""
    wish = {"stream": stream, "database": database, "since": since, "until": until, "reason": reason}
    with connect(url, token_file, ca_file) as client:
        found = client.hold(wish)
    with known_answer():
        (json_lines.show if as_json else hold_view.several)([found])


@command.command
@click.argument("number", type=click.IntRange(1, 2**53 - 1))
@connection
def lift(number: int, url: str | None, token_file: Path | None, ca_file: Path | None) -> None:
    """Lift the hold of that NUMBER: what it covered is dropped when its time is over."""
    with connect(url, token_file, ca_file) as client:
        client.lift(number)
    click.echo(f"hold {number} is lifted")
