"""Alarms for people and programs: those that stand, those that are over, and that somebody has looked at some.

What doesn't belong: raising them (`penstock_collector.store`), the page that shows them (`pages.py`).
"""

from __future__ import annotations

import re
import sqlite3
import time
from dataclasses import asdict, dataclass

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from penstock_collector.approvals import wording
from penstock_collector.approvals.comment import BadCommentError, one_line
from penstock_collector.auth.viewer import Viewer
from penstock_collector.collector import collector_of
from penstock_collector.lookup import BadFilter, as_text
from penstock_collector.store import alarms
from penstock_collector.store.alarms import Alarm
from penstock_collector.store.database import StoreError
from penstock_collector.web.bodies import NotTakenError, read_form, read_json, refuse
from penstock_collector.web.guards import reading
from penstock_collector.web.pages import whole_number
from penstock_collector.web.rendering import problem
from penstock_collector.web.security import from_own_page

_MOST_LISTED = 1000
_MOST_BODY_BYTES = 16 * 1024
_UNTIL = re.compile(r"[0-9]{1,11}(\.[0-9]{1,9})?")


class _Acknowledged(BaseModel):
    """What a program sends."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: str
    # Of one sender; left out: of all.
    owner: str | None = None
    # The `latest` of the card that was looked at; left out: now.
    until: float | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which alarms a URL asks for."""

    kind: str
    owner: str | None
    before: int | None
    limit: int

    @classmethod
    def of(cls, request: Request) -> _Wanted:
        """Raises BadFilter."""
        kind = request.query_params.get("kind", "")
        if kind and kind not in set(Alarm):
            raise BadFilter(f"kind is one of {', '.join(Alarm)}, not {kind!r}")
        owner = request.query_params.get("owner")
        limit = min(whole_number(request, "limit") or 100, _MOST_LISTED)
        return cls(
            kind, None if owner is None else as_text("owner", owner), whole_number(request, "before"), limit
        )  # fmt: skip


async def list_alarms(request: Request) -> Response:
    """What stands: `{"cards": [a kind each, the worst first], "alarms": […], "next": <before of the next page>}`."""
    try:
        wanted = _Wanted.of(request)
        cards, found = await collector_of(request).readers.run(
            lambda connection: (
                alarms.cards(connection, owners=200),
                alarms.standing(connection, wanted.kind, wanted.owner, wanted.before, wanted.limit + 1),
            )
        )
    except BadFilter as error:
        return refuse(400, str(error))
    except StoreError as error:
        return refuse(503, str(error))
    shown = found[: wanted.limit]
    return JSONResponse(
        {
            "time": time.time(),
            "cards": [asdict(card) for card in cards],
            "alarms": [asdict(alarm) for alarm in shown],
            "next": shown[-1].id if len(found) > wanted.limit else None,
        }
    )


async def list_past(request: Request) -> Response:
    """What is over, and who acknowledged it: `{"alarms": […], "next": <before of the next page, or null>}`."""
    try:
        wanted = _Wanted.of(request)
        found = await collector_of(request).readers.run(
            lambda connection: alarms.past(connection, wanted.limit + 1, wanted.kind, wanted.owner, wanted.before)
        )
    except BadFilter as error:
        return refuse(400, str(error))
    except StoreError as error:
        return refuse(503, str(error))
    shown = found[: wanted.limit]
    next_ = shown[-1].id if len(found) > wanted.limit else None
    return JSONResponse({"alarms": [asdict(alarm) for alarm in shown], "next": next_})


async def post_acknowledged(request: Request) -> Response:
    """`{"kind": "silent", "owner": "shop/web", "until": 1764400000, "comment": "…"}`; answers how many it were."""
    if not from_own_page(request):
        return refuse(403, "this was not sent from a page of the collector")
    try:
        body = await read_json(
            request, _Acknowledged, _MOST_BODY_BYTES, "an acknowledgement",
            '{"kind": "…", "owner": "…", "until": <Unix time>, "comment": "…"}',
        )  # fmt: skip
        until = time.time() if body.until is None else body.until
        count = await _acknowledge(request, body.kind, body.owner, until, body.comment)
    except NotTakenError as error:
        return refuse(error.status, str(error))
    except (BadFilter, BadCommentError) as error:
        return refuse(400, str(error))
    except StoreError as error:
        return refuse(503, str(error))
    return JSONResponse({"acknowledged": count})


async def acknowledge_on_page(request: Request) -> Response:
    """The same by the form of a card."""
    if not from_own_page(request):
        return problem(request, 403, "That form was not sent from this page.")
    form = await read_form(request)
    until = form.get("until", "")
    if not _UNTIL.fullmatch(until):
        return problem(request, 400, "No such alarm.")
    # `=shop/web`, `=` for the collector itself; or nothing for all.
    sender = form.get("sender", "")
    owner = sender.removeprefix("=") if sender else None
    try:
        await _acknowledge(request, form.get("kind", ""), owner, float(until), form.get("comment", ""))
    except (BadFilter, BadCommentError) as error:
        return problem(request, 400, f"Nothing was acknowledged: {error}.")
    except StoreError as error:
        return problem(request, 503, str(error))
    return RedirectResponse("/streams", 303)


async def _acknowledge(request: Request, kind: str, owner: str | None, until: float, comment: str) -> int:
    """How many it were. Raises BadFilter, BadCommentError, StoreError."""
    if kind not in set(Alarm):
        raise BadFilter(f"kind is one of {', '.join(Alarm)}")
    words = one_line(comment)
    viewer: Viewer = request.state.viewer
    collector = collector_of(request)

    def acknowledge(connection: sqlite3.Connection) -> int:
        now = time.time()
        # Nobody has looked at what is yet to come.
        seen = min(until, now)
        count = alarms.acknowledge(connection, Alarm(kind), owner, seen, viewer.name, words, now)
        if count:
            whose = "all senders" if owner is None else wording.visible(owner) or "the collector"
            what = f"{kind} of {whose}: {count}"
            collector.readings.seal(connection, reading(request, "acknowledged an alarm", what, reason=words))
        return count

    return await collector.writer.run(acknowledge)
