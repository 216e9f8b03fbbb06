"""`penstock audit`: follow, search, export and verify the audit trail.

What doesn't belong: talking to the collector (`collector_client.py`), verifying (`penstock_core.audit.verify`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from penstock_cli import json_lines
from penstock_cli.collector_options import connect, connection
from penstock_core.audit.chain import GENESIS, Head
from penstock_core.audit.verify import lines, verify

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
    """Follow, search, export and verify the audit trail."""


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
    "--output", "-o", type=click.File("w", lazy=True), default="-", help="A file.  [default: standard output]"
)
def export(url: str | None, token_file: Path | None, ca_file: Path | None, stream: str, output: IO[str]) -> None:
    """Write the record itself, as JSON lines that `penstock audit verify` checks."""
    with connect(url, token_file, ca_file) as client:
        for line in client.export(stream):
            output.write(line + "\n")


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


@command.command("verify")
@click.argument("file", type=click.File("r", encoding="utf-8", errors="surrogateescape"), required=False)
@connection
@click.option("--stream", default="", help="With --url: only this stream.")
@click.option(
    "--heads",
    type=click.File("r"),
    help="Where the streams ended before: a saved answer of the collector's /v1/streams.",
)
@click.option("--partial", is_flag=True, help="Streams may begin late: an export of a part, or after retention.")
def verify_command(
    file: IO[str] | None,
    url: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    stream: str,
    heads: IO[str] | None,
    partial: bool,
) -> None:
    """Check that no event of an export was altered, removed, added or moved.

    FILE is an export (- is standard input); without it, the collector's. Exits with 1 if something is wrong, and says
    what and where. Without --heads it cannot be seen that the end of a stream was cut off.
    """
    known = _heads(heads) if heads is not None else None
    if file is not None:
        report = verify(_events(file), known, partial=partial)
    else:
        with connect(url, token_file, ca_file) as client:
            report = verify(_events(client.export(stream)), known, partial=partial)
    for line in lines(report):
        click.echo(line)
    if not report.streams and not report.stray:
        raise click.UsageError("no audit events there")
    if not report.intact:
        click.echo(f"NOT INTACT: {len(report.findings)} findings", err=True)
        raise SystemExit(1)
    click.echo("intact")


def _events(source: IO[str] | Iterator[str]) -> Iterator[object]:
    """Each line as JSON; anything else is a finding of its own and not an error."""
    for line in source:
        if not line.strip():
            continue
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            yield None


def _heads(file: IO[str]) -> dict[str, Head]:
    try:
        answer = json.load(file)
        # The collector's own stream is beside those of the gates.
        rows = [*answer["streams"], *([answer["readings"]] if "readings" in answer else [])]
        # A head whose hash the collector did not know itself proves nothing.
        return {
            row["name"]: Head(row["name"], int(row["seq"]), row["hash"])
            for row in rows
            if row["hash"] not in (None, GENESIS)
        }
    except (ValueError, LookupError, TypeError) as error:
        raise click.UsageError(
            f"{file.name} is not an answer of /v1/streams ({type(error).__name__}: {error})"
        ) from None
