"""What a check of the trail found, for people: a table of the streams, each with its findings below it.

What doesn't belong: finding it (`penstock_core.audit`). Nothing in it is taken for control of the terminal.
"""

from __future__ import annotations

from collections.abc import Iterable

import click

from penstock_cli.terminal_text import one_line, printable
from penstock_core.audit.report import Findings, Report, StreamReport, Verdict

_COLOURS = {Verdict.INTACT: "green", Verdict.INCOMPLETE: "yellow", Verdict.FAULTY: "red"}
_HEADINGS = ("STREAM", "SENDER", "EVENTS", "SEQ", "VERDICT")
# The column of numbers.
_RIGHT = 2
_GAP = "  "


def show(report: Report) -> None:
    """Print it; the last line is the verdict, on standard error where it is no good one."""
    for line in _about(report.stray, ""):
        click.echo(line)
    # Of those that are gone there may be thousands.
    shown = [stream for stream in report.streams if stream.events or stream.verdict is Verdict.FAULTY]
    _table(shown)
    if gone := len(report.streams) - len(shown):
        click.echo(f"{gone} more streams have no events here, and none are due")
    for series in report.checkpoints:
        click.echo(
            f"held against the checkpoints {series.first} to {series.last} of {printable(series.collector)}, "
            f"the last of {series.last_time}"
        )
    match report.verdict:
        case Verdict.INTACT:
            click.echo("intact")
        case Verdict.INCOMPLETE:
            click.echo(
                "INCOMPLETE: nothing is wrong with what is there, and some is missing that is declared", err=True
            )
        case Verdict.FAULTY:
            click.echo(f"NOT INTACT: {report.faults} fault{'s' * (report.faults > 1)}", err=True)


def _table(streams: Iterable[StreamReport]) -> None:
    rows = [(_row(stream), stream) for stream in streams]
    if not rows:
        return
    widths = [
        max(len(row[column]) for row in [_HEADINGS, *(row for row, _ in rows)]) for column in range(len(_HEADINGS))
    ]
    click.echo(click.style(_line(_HEADINGS, widths), bold=True))
    for row, stream in rows:
        line = _line(row, widths)
        verdict = click.style(row[-1], fg=_COLOURS[stream.verdict])
        click.echo(line.removesuffix(row[-1]) + verdict)
        for said in [*_about(stream.found, "  "), *(f"  note: {one_line(note)}" for note in stream.notes)]:
            click.echo(said)


def _row(stream: StreamReport) -> tuple[str, ...]:
    seqs = f"{stream.first_seq}-{stream.last_seq}" if stream.events else "-"
    faults = stream.found.faults
    verdict = f"{faults} fault{'s' * (faults > 1)}" if faults else stream.verdict.value
    return printable(stream.stream), printable(stream.sender) or "-", str(stream.events), seqs, verdict


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [cell.rjust(width) if column == _RIGHT else cell.ljust(width) for column, (cell, width) in
             enumerate(zip(row, widths, strict=True))]  # fmt: skip
    return _GAP.join(cells).rstrip()


def _about(found: Findings, indent: str) -> list[str]:
    lines = [f"{indent}{finding.fault.replace('-', ' ')}: {one_line(finding.message)}" for finding in found.kept]
    return lines + [f"{indent}{fault.replace('-', ' ')}: {count} more" for fault, count in found.left_out.items()]
