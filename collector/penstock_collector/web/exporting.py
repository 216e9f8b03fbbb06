"""The export over HTTP: the record itself as JSON lines (`penstock_core.audit.export`), in portions.

What doesn't belong: what is read for it (`store/export.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from penstock_collector.auth.roles import Right
from penstock_collector.auth.viewer import Viewer
from penstock_collector.collector import collector_of
from penstock_collector.store.database import StoreError
from penstock_collector.store.export import BEGINNING, own_portion, own_stream, portion
from penstock_collector.store.readers import Readers
from penstock_core.audit.export import EndLine, ProblemLine

_log = structlog.get_logger(__name__)


async def export_events(request: Request) -> Response:
    """The record as NDJSON, ordered by stream and seq; `?stream=` for one of them.

    Last comes the collector's own stream, for whoever may see who read what.
    """
    stream = request.query_params.get("stream", "")
    viewer: Viewer = request.state.viewer
    parts = _whole(collector_of(request).readers, stream, own=viewer.may(Right.READINGS))
    return StreamingResponse(parts, media_type="application/x-ndjson")


async def _whole(readers: Readers, stream: str, *, own: bool) -> AsyncIterator[bytes]:
    count = 0
    try:
        async for lines in _portions(readers, stream, own=own):
            count += len(lines)
            yield b"".join(line + b"\n" for line in lines)
        yield EndLine(count).line() + b"\n"
    except StoreError as error:
        # The answer is under way. Cut off in silence, it would pass for the whole.
        _log.error("an export ended early", why=str(error))
        yield ProblemLine(str(error)).line() + b"\n"


async def _portions(readers: Readers, stream: str, *, own: bool) -> AsyncIterator[list[bytes]]:
    """Each is a transaction of its own: an export of any size blocks nobody and fits in memory."""
    place = BEGINNING
    while found := await readers.run(partial(portion, stream=stream, after=place)):
        place = found[-1][0]
        yield [line for _, line in found]
    described = await readers.run(own_stream)
    if not own or stream not in ("", described.stream):
        return
    yield [described.line()]
    after = 0
    while readings := await readers.run(partial(own_portion, after=after)):
        after = readings[-1][0]
        yield [line for _, line in readings]
