"""Checks an export of the audit trail offline, with nothing but its lines and what was noted elsewhere.

What it proves: no event inside a stream was altered, removed, added or moved after it was sealed. What no chain can
prove alone: that the end was not cut off, or the whole stream written anew. For that, give what was noted elsewhere:
heads (the collector's `/v1/streams`), or signed checkpoints. Reading files and fetching exports belongs elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from penstock_core.audit.chain import Head
from penstock_core.audit.checkpoint_series import Checkpoints
from penstock_core.audit.export import BadLine, EndLine, Line, ProblemLine, QuarantinedLine, StreamLine, read
from penstock_core.audit.promises import Promises
from penstock_core.audit.report import Fault, Finding, Findings, Report
from penstock_core.audit.stream_check import StreamCheck


def verify(
    lines: Iterable[object],
    heads: Mapping[str, Head] | None = None,
    *,
    checkpoints: Checkpoints | None = None,
    partial: bool = False,
    only: str = "",
) -> Report:
    """Check the lines of an export: bytes as they stand there, or events that somebody has decoded.

    `heads` and `checkpoints` are what was noted elsewhere; `partial`: streams may begin late; `only`: no other stream.
    Streams may be mixed, each in its own order. Whatever the lines are, every stream gets its verdict.
    """
    return verify_lines(
        (read(line) for line in lines if line != b""), heads, checkpoints=checkpoints, partial=partial, only=only
    )


def verify_lines(
    lines: Iterable[Line],
    heads: Mapping[str, Head] | None = None,
    *,
    checkpoints: Checkpoints | None = None,
    partial: bool = False,
    only: str = "",
) -> Report:
    """The same of lines that somebody has read, who does more with them."""
    promises = checkpoints.promises if checkpoints is not None else Promises()
    for head in (heads or {}).values():
        promises.of(head.stream).add(head, "the head that was noted")
    check = _ExportCheck(promises, only, checkpoints)
    for line in lines:
        check.take(line)
    return check.finish(partial=partial)


class _ExportCheck:
    """The state of checking an export."""

    def __init__(self, promises: Promises, only: str, checkpoints: Checkpoints | None) -> None:
        self._promises = promises
        self._only = only
        self._streams: dict[str, StreamCheck] = {}
        self._series = tuple(checkpoints.series) if checkpoints is not None else ()
        self._stray = checkpoints.found if checkpoints is not None else Findings()
        self._lines = 0
        # Whether anything of the collector's own is there, and whether the last of it is an end.
        self._annotated = self._ended = False

    def take(self, line: Line) -> None:
        if isinstance(line, EndLine):
            if line.lines != self._lines:
                self._found(Fault.GAP, f"the export had {line.lines} lines before its end, and has {self._lines}")
            self._lines, self._annotated, self._ended = 0, True, True
            return
        self._lines += 1
        self._ended = False
        self._annotated = self._annotated or isinstance(line, StreamLine | QuarantinedLine | ProblemLine)
        if isinstance(line, ProblemLine):
            self._found(Fault.CUT_TAIL, f"the export ends early: {line.error}")
        elif isinstance(line, BadLine) and not line.stream:
            self._found(Fault.MALFORMED, line.reason)
        elif check := self._of(line["stream"] if isinstance(line, dict) else line.stream):
            self._hand_on(line, check)

    def _hand_on(self, line: Line, check: StreamCheck) -> None:
        match line:
            case StreamLine():
                check.describe(line)
            case QuarantinedLine():
                check.quarantined(line)
            case BadLine():
                check.malformed(line)
            case dict():
                check.take(line)

    def _of(self, stream: str) -> StreamCheck | None:
        if self._only and stream != self._only:
            return None
        if stream not in self._streams:
            self._streams[stream] = StreamCheck(stream, self._promises.streams.get(stream))
        return self._streams[stream]

    def finish(self, *, partial: bool) -> Report:
        for stream in self._promises.streams:
            self._of(stream)
        if self._annotated and not self._ended:
            self._found(Fault.CUT_TAIL, "the export has no end: it was cut off, or lines were put behind it")
        streams = tuple(check.finish(partial=partial) for check in self._streams.values())
        return Report(streams, self._stray, self._series)

    def _found(self, fault: Fault, message: str) -> None:
        self._stray.add(Finding("", fault, 0, message))
