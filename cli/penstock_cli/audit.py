"""`penstock audit`: follow, search, export and verify the audit trail, and make evidence of it.

What doesn't belong: talking to the collector (`collector_client.py`), verifying (`audit_verify.py`), evidence
(`evidence/`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from penstock_cli import audit_verify, json_lines
from penstock_cli.collector_options import connect, connection
from penstock_cli.evidence.command import command as evidence
from penstock_cli.terminal_text import json_line, one_line
from penstock_core.audit.export import EndLine, ProblemLine, read

F = TypeVar("F", bound=Callable[..., Any])

_FILTERS = {
    "identity": "Part of the identity's name.",
    "decision": "allow, rewrite or deny.",
    "verb": "A verb, such as delete.",
    "relation": "A table or view, with or without its schema.",
    "stream": "A stream's name.",
    "since": "Not before this time, such as 2026-11-25T09:00:00Z.",
    "until": "Before this time.",
}


def _filtered(command: F) -> F:
    """The options that say what is looked for."""
    for name, text in reversed(_FILTERS.items()):
        command = click.option(f"--{name}", default="", help=text)(command)
    return click.argument("words", nargs=-1)(command)


def _query(words: tuple[str, ...], filters: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in (filters | {"q": " ".join(words)}).items() if value}


@click.group
def command() -> None:
    """Follow, search, export and verify the audit trail; make evidence of it."""


@command.command
@connection
@_filtered
@click.option("--json", "as_json", is_flag=True, help="JSON lines.")
def tail(
    url: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    words: tuple[str, ...],
    as_json: bool,
    **filters: str,
) -> None:
    """Show statements as they run. Each of WORDS must begin a word of the statement."""
    from penstock_cli import statement_view  # noqa: PLC0415 # rich is slow to import

    with connect(url, token_file, ca_file) as client:
        view = statement_view.Lines() if not as_json else None
        for event, data in client.follow(_query(words, filters)):
            if event == "statement":
                json_lines.show([data]) if view is None else view.show(data)
            elif event == "gap":
                click.echo(f"… {data.get('skipped')} more statements came faster than they can be shown", err=True)


@command.command
@connection
@_filtered
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Show at most this many.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines.")
def search(
    url: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    words: tuple[str, ...],
    limit: int,
    as_json: bool,
    **filters: str,
) -> None:
    """Show past statements, latest first. Each of WORDS must begin a word of the statement."""
    with connect(url, token_file, ca_file) as client:
        found = list(client.search(_query(words, filters), limit))
    if as_json:
        json_lines.show(found)
        return
    from penstock_cli import statement_view  # noqa: PLC0415 # rich is slow to import

    statement_view.table(found)


@command.command
@connection
@click.option("--outcome", default="", help="accepted or refused.")
@click.option("--identity", default="", help="Part of the identity's name, or of what a refused token claims.")
@click.option("--address", default="", help="The beginning of the client's address.")
@click.option("--stream", default="", help="A stream's name.")
@click.option("--since", default="", help=_FILTERS["since"])
@click.option("--until", default="", help=_FILTERS["until"])
@click.argument("words", nargs=-1)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Show at most this many.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines.")
def logins(
    url: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    words: tuple[str, ...],
    limit: int,
    as_json: bool,
    **filters: str,
) -> None:
    """Show logins, accepted and refused, latest first. Each of WORDS must begin a word of what is told of one."""
    with connect(url, token_file, ca_file) as client:
        found = list(client.logins(_query(words, filters), limit))
    if as_json:
        json_lines.show(found)
        return
    from penstock_cli import login_view  # noqa: PLC0415 # rich is slow to import

    login_view.table(found)


@command.command
@connection
@click.option("--stream", default="", help="Only this stream.")
@click.option(
    "--output", "-o", type=click.File("wb", lazy=True), default="-", help="A file.  [default: standard output]"
)
def export(url: str | None, token_file: Path | None, ca_file: Path | None, stream: str, output: IO[bytes]) -> None:
    """Write the record itself, as JSON lines that `penstock audit verify` checks."""
    line = b""
    with connect(url, token_file, ca_file) as client:
        for line in client.export(stream):  # the last one is looked at
            output.write(line + b"\n")
    match read(line):
        case EndLine():
            return
        case ProblemLine(error):
            raise click.ClickException(f"the export ends early: {one_line(error)}")
    raise click.ClickException("the export has no end: the collector stopped, or the connection was cut")


@command.command
@connection
@click.option(
    "--output", "-o", type=click.File("w", lazy=True), default="-", help="A file.  [default: standard output]"
)
def heads(url: str | None, token_file: Path | None, ca_file: Path | None, output: IO[str]) -> None:
    """Write where all streams end now, for `penstock audit verify --heads` to hold a later export to."""
    with connect(url, token_file, ca_file) as client:
        found = client.streams()
    output.write(json_line(found) + "\n")


@command.command
@connection
@click.option("--who", default="", help="Only of this name.")
@click.option("--action", default="", help="Only this: searched, opened, followed, exported, decided, signed in, …")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Show at most this many.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines.")
def readings(
    url: str | None, token_file: Path | None, ca_file: Path | None, who: str, action: str, limit: int, as_json: bool
) -> None:
    """Show who read the trail, signed in and decided at the collector, latest first. For auditors."""
    with connect(url, token_file, ca_file) as client:
        found = list(client.readings({"who": who, "action": action}, limit))
    if as_json:
        json_lines.show(found)
        return
    from penstock_cli import reading_view  # noqa: PLC0415 # rich is slow to import

    reading_view.table(found)


command.add_command(audit_verify.command)
command.add_command(evidence)
