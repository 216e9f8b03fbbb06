"""`penstock audit verify`: check an export of the trail, or the collector's, and say how it stands.

What doesn't belong: the checks (`penstock_core.audit.verify`), what is shown (`verify_view.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

import click

from penstock_cli import checkpoint_files, export_lines, verify_view
from penstock_cli.collector_options import connection, exported
from penstock_cli.terminal_text import json_line, one_line
from penstock_core.audit import essentials
from penstock_core.audit.chain import Head
from penstock_core.audit.checkpoint_series import Checkpoints
from penstock_core.audit.report import Report, Verdict
from penstock_core.audit.verify import verify

STATUS = {Verdict.INTACT: 0, Verdict.INCOMPLETE: 3, Verdict.FAULTY: 1}


@click.command("verify")
@click.argument("file", type=click.File("rb"), required=False)
@connection
@click.option("--stream", default="", help="Only this stream.")
@click.option(
    "--heads",
    type=click.File("rb"),
    help="Where the streams ended before, as `penstock audit heads` has saved it.",
)
@checkpoint_files.options
@click.option("--json", "as_json", is_flag=True, help="The report as JSON (docs/verify.md).")
def command(
    file: IO[bytes] | None,
    url: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    stream: str,
    heads: IO[bytes] | None,
    checkpoints: Path | None,
    keys: tuple[Path, ...],
    partial: bool,
    as_json: bool,
) -> None:
    """Check that no event of an export was altered, removed, added or moved.

    FILE is an export (- is standard input); without it, the collector's. Exits with 0 if nothing is wrong and nothing
    is missing, 3 if all that is missing is declared, 1 if something is wrong, 2 if it could not be checked. Without
    --checkpoints or --heads it cannot be seen that an export was written anew.
    """
    # Before the export, which goes on meanwhile.
    signed = checkpoint_files.gathered(checkpoints, keys, partial=partial)
    noted = {head.stream: head for head in _heads(heads)} if heads is not None else {}
    lines = exported(url, token_file, ca_file, stream) if file is None else export_lines.of_file(file)
    report = _report(lines, noted, signed, stream, partial=partial)
    if as_json:
        click.echo(json_line(report.document()))
    else:
        verify_view.show(report)
    if status := STATUS[report.verdict]:
        raise SystemExit(status)


def _report(
    lines: Iterable[bytes], heads: Mapping[str, Head], signed: Checkpoints | None, stream: str, *, partial: bool
) -> Report:
    report = verify(lines, heads, checkpoints=signed, partial=partial, only=stream)
    if not report.streams and not report.findings:
        raise click.UsageError(f"no audit events of {one_line(stream)} there" if stream else "no audit events there")
    return report


def _heads(file: IO[bytes]) -> list[Head]:
    try:
        answer = json.load(file)
        # The collector's own stream is beside those of the gates.
        rows = [*answer["streams"], *([answer["readings"]] if "readings" in answer else [])]
        found = [head for row in rows if (head := _head(row["name"], row["seq"], row["hash"])) is not None]
        listed, total = len({row["name"] for row in answer["streams"]}), answer["total"]
        if not essentials.is_count(total):
            raise ValueError("no usable total")
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise click.UsageError(
            f"{file.name} is not an answer of /v1/streams ({type(error).__name__}: {one_line(error)})"
        ) from None
    # The others would pass unverified.
    if listed < total:
        raise click.UsageError(
            f"{file.name} has {listed} of {total} streams, one page of them; `penstock audit heads` saves them all"
        )
    return found


def _head(name: object, seq: object, hash_: object) -> Head | None:
    """A head whose hash the collector did not know itself proves nothing."""
    if (
        not isinstance(name, str)
        or not essentials.is_name(name)
        or not isinstance(seq, int)
        or not essentials.is_count(seq)
    ):
        raise ValueError("a stream without a usable name or seq")
    if hash_ is not None and not essentials.is_hash(hash_):
        raise ValueError(f"the stream {name} has no usable hash")
    return Head(name, seq, str(hash_)) if hash_ is not None and seq else None
