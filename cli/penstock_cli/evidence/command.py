"""`penstock audit evidence`: read an export once, check it, sum it up, and write the folder.

What doesn't belong: what the events come to (`penstock_core.evidence`), how the folder is made (`bundle.py`).
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

import click

from penstock_cli import audit_verify, checkpoint_files, export_lines, verify_view
from penstock_cli.collector_options import connection, exported
from penstock_cli.evidence.bundle import Bundle, signing_key
from penstock_cli.evidence.listing import Listing
from penstock_cli.failures import Unusable
from penstock_core.audit.export import Line, read
from penstock_core.audit.report import Report
from penstock_core.audit.verify import verify_lines
from penstock_core.evidence.period import Period, PeriodError, moment
from penstock_core.evidence.summary import Summary
from penstock_core.evidence.tables import TABLES

# How often progress is shown, in seconds.
_TELL_SECONDS = 1.0


def _moment(_: click.Context, __: click.Parameter, value: str) -> datetime:
    try:
        return moment(value)
    except PeriodError as error:
        raise click.BadParameter(str(error)) from None


@click.command("evidence")
@click.argument("file", type=click.File("rb"), required=False)
@connection
@click.option("--since", required=True, callback=_moment, help="The first day (UTC), such as 2026-07-01, or a time.")
@click.option("--until", required=True, callback=_moment, help="The day, or time, before which the period ends.")
@click.option(
    "--output", "-o", required=True, type=click.Path(path_type=Path), help="The folder to make; it must not be there."
)
@checkpoint_files.options
@click.option("--sign", type=click.Path(path_type=Path, dir_okay=False), help="Sign the sums with this key (PEM).")
@click.option("--no-trail", is_flag=True, help="Leave the export itself out, which may be large.")
def command(
    file: IO[bytes] | None,
    url: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    output: Path,
    checkpoints: Path | None,
    keys: tuple[Path, ...],
    sign: Path | None,
    no_trail: bool,
    partial: bool,
    since: datetime,
    until: datetime,
) -> None:
    """Make a folder of evidence for auditors: tables of a period, the check of the trail, and the trail itself.

    FILE is an export (- is standard input); without it, the collector's. The folder is made whatever the check finds,
    and says so; the exit status is that of `penstock audit verify`: 0, 3 or 1, and 2 if there is no folder.
    """
    try:
        within = Period(since, until)
    except PeriodError as error:
        raise click.UsageError(str(error)) from None
    key = signing_key(sign) if sign is not None else None
    # Before the export, which goes on meanwhile.
    signed = checkpoint_files.gathered(checkpoints, keys, partial=partial)
    bundle = Bundle(output)
    try:
        with bundle:
            lines = exported(url, token_file, ca_file) if file is None else export_lines.of_file(file)
            gathering = _Gathering(bundle.directory, within, keep=not no_trail)
            report = verify_lines(gathering.passed_on(lines), checkpoints=signed, partial=partial)
            gathering.finish(report, signed=key is not None)
            if checkpoints is not None:
                _copy(checkpoints, keys, bundle.directory / "checkpoints")
            bundle.finish(key)
    except OSError as error:
        raise Unusable(f"{output} cannot be written: {error.strerror or error}") from None
    verify_view.show(report)
    click.echo(f"evidence of {within}: {output / 'index.html'}")
    if status := audit_verify.STATUS[report.verdict]:
        raise SystemExit(status)


@dataclass
class _Gathering:
    """The lines of an export on their way to the check: they are kept, and summed up."""

    directory: Path
    period: Period
    keep: bool

    def __post_init__(self) -> None:
        self._summary = Summary(self.period)
        self._scratch = self.directory / "rows.unfinished"
        self._listing = Listing(self._scratch)

    def passed_on(self, lines: Iterable[bytes]) -> Iterator[Line]:
        """What each line is."""
        count, told = 0, time.monotonic()
        with ExitStack() as stack:
            trail = stack.enter_context(self._trail()) if self.keep else None
            for line in lines:
                if trail is not None:
                    trail.write(line + b"\n")
                count += 1
                if line == b"":
                    continue
                if isinstance(found := read(line), dict):
                    self._listing.add(self._summary.take(found))
                yield found
                if sys.stderr.isatty() and time.monotonic() > told + _TELL_SECONDS:
                    told = time.monotonic()
                    click.echo(f"\r{count:,} lines of the trail", err=True, nl=False)

    def _trail(self) -> gzip.GzipFile:
        # Without a time of its own: of the same trail come the same bytes.
        return gzip.GzipFile(self.directory / "trail.jsonl.gz", "wb", 6, mtime=0)

    def finish(self, report: Report, *, signed: bool) -> None:
        """Write all that is made of them."""
        if not report.streams and not report.findings:
            raise click.UsageError("no audit events there")
        self._listing.add(self._summary.finish(report))
        from penstock_cli.evidence import page  # noqa: PLC0415 # jinja2 is slow to import

        (self.directory / "tables").mkdir()
        for table in TABLES.values():
            self._listing.write(table, self.directory / "tables" / f"{table.name}.csv")
        (self.directory / "verification.json").write_text(json.dumps(report.document(), indent=1) + "\n")
        text = page.rendered(self._summary, self._listing, report, trail=self.keep, signed=signed)
        (self.directory / "index.html").write_text(text)
        self._listing.close()
        self._scratch.unlink()


def _copy(checkpoints: Path, keys: tuple[Path, ...], place: Path) -> None:
    shutil.copytree(checkpoints, place, ignore=shutil.ignore_patterns(".*"))
    for number, key in enumerate(keys, start=1):
        shutil.copyfile(key, place / f"key{number}.pem")
