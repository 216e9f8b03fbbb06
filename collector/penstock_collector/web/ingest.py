"""Taking in events over HTTP: `POST /v1/streams/{owner}/{boot}/events`, NDJSON of sealed events.

The answer, `{"acknowledged": seq}`, comes after the commit, and promises all events up to there. What doesn't
belong: what is stored (`store/intake.py`), who may (`auth/streams.py`).
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from penstock_collector.approvals.told_emergencies import EmergencyNotice
from penstock_collector.auth.kubernetes import ReviewUnavailable
from penstock_collector.auth.streams import Forbidden, Unauthenticated
from penstock_collector.collector import Collector, collector_of
from penstock_collector.store import senders
from penstock_collector.store.database import StoreError
from penstock_collector.store.intake import Taken, acknowledged_of, take
from penstock_collector.store.lines import read_batch
from penstock_collector.store.writer import Busy
from penstock_collector.web.bodies import PART, TooLarge, body_of, refuse
from penstock_collector.web.gates import begin_for_sender
from penstock_collector.web.security import bearer
from penstock_collector.web.shares import ShareUsedUpError, shares_of
from penstock_core.token_review import Pod

_log = structlog.get_logger(__name__)

MOST_BODY_BYTES = 8 * 1024 * 1024
# A sender puts some hundred into one; each becomes an object here, and a row if it is no event.
MOST_LINES = 20_000
_PAUSE_SECONDS = 0.5
OLDEST_HEADER = "Penstock-Oldest-Seq"


async def post_events(request: Request) -> Response:
    """Store a batch of one stream, if the token may write it."""
    collector = collector_of(request)
    response = await _answer(collector, request)
    if response.status_code != 200:
        collector.metrics.refused.labels(str(response.status_code)).inc()
    return response


async def _answer(collector: Collector, request: Request) -> Response:
    owner, boot = request.path_params["owner"], request.path_params["boot"]
    if not (PART.fullmatch(owner) and PART.fullmatch(boot)):
        return refuse(400, "a stream is <owner>/<boot>, each of letters, digits and ._- and no longer than 128")
    oldest = request.headers.get(OLDEST_HEADER, "1")
    if not (oldest.isascii() and oldest.isdecimal() and len(oldest) < 17):
        return refuse(400, f"{OLDEST_HEADER} is a seq")
    try:
        pod = await collector.authority.check(bearer(request), owner)
        proven = collector.authority.senders(pod, bearer(request), owner)
        sender = begin_for_sender(request)
        with shares_of(request).batch(sender):
            return await _read(request, sender, Source(pod, proven), f"{owner}/{boot}", int(oldest))
    except ShareUsedUpError as error:
        # Who comes back at once, and at once again, takes the time of the others.
        await asyncio.sleep(_PAUSE_SECONDS)
        return refuse(503, str(error))
    except Unauthenticated:
        return refuse(401, "the token proves nobody who may write events")
    except Forbidden:
        return refuse(403, f"the token may not write streams of {owner}")
    except ReviewUnavailable as error:
        _log.warning("cannot check a sender", why=str(error))
        return refuse(503, "the token cannot be checked at the moment")
    except TooLarge:
        return refuse(413, f"a batch is at most {MOST_BODY_BYTES} bytes")
    except ClientDisconnect:
        return refuse(400, "the request ended early")


@dataclass(frozen=True, slots=True)
class Source:
    """Whom a batch comes from: the pod, where one is known, and the senders that the token proves."""

    pod: Pod | None
    proven: Sequence[str]

    @property
    def workload(self) -> str:
        return f"{self.pod.namespace}/{self.pod.service_account}" if self.pod is not None else ""


async def _read(request: Request, sender: str, source: Source, stream: str, oldest: int) -> Response:
    """Raises ShareUsedUpError, TooLarge, ClientDisconnect."""
    collector, shares = collector_of(request), shares_of(request)
    body = await body_of(request, MOST_BODY_BYTES)
    if body.count(b"\n") > MOST_LINES:
        return refuse(413, f"a batch is at most {MOST_LINES} lines")
    try:
        if not shares.has_seen(stream):
            acknowledged = await collector.readers.run(partial(acknowledged_of, stream=stream))
            if acknowledged is None and not body.rpartition(b"\n")[0].strip():
                # Nothing was said yet: that makes no stream.
                return JSONResponse({"acknowledged": 0})
            if acknowledged is None:
                shares.begin_stream(sender)
    except StoreError as error:
        return refuse(503, str(error))
    response = await _store(request, stream, body, oldest, source)
    if response.status_code == 200:
        shares.saw(stream)
    return response


async def _store(request: Request, stream: str, body: bytes, oldest: int, source: Source) -> Response:
    collector = collector_of(request)
    batch = await asyncio.to_thread(read_batch, body, stream)

    def step(connection: sqlite3.Connection) -> tuple[Taken, list[EmergencyNotice]]:
        senders.check(connection, stream, source.proven)
        late = collector.settings.late_seconds
        taken = take(connection, stream, batch, oldest=oldest, now=time.time(), workload=source.workload, late=late)
        senders.note(connection, stream, source.proven)
        return taken, collector.emergencies.kept(connection, taken.emergencies)

    try:
        with collector.metrics.commit.time():
            taken, notices = await collector.writer.run(step)
    except senders.Foreign as error:
        _log.warning("a stream of another sender", why=str(error))
        return refuse(403, str(error))
    except Busy as error:
        return refuse(503, str(error))
    except StoreError as error:
        _log.error(str(error))
        return refuse(503, str(error))
    collector.metrics.count(taken)
    collector.emergencies.tell(notices)
    if taken.quarantined or taken.forks:
        shares_of(request).log.warn("bad events", stream=stream, quarantined=taken.quarantined, forks=taken.forks)
    if taken.stored:
        collector.tail.ring()
    return JSONResponse({"acknowledged": taken.acknowledged})
