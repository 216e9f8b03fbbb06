"""Access for a time over HTTP: gates that ask for it and for what lasts; people who ask, end and review, as JSON.

What doesn't belong: deciding (`deciding.py`), pages (`inbox.py`), what becomes of it (`penstock_collector.approvals`).
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from penstock_collector.approvals.access import Wish
from penstock_collector.approvals.holder import Book, NotItsOwnError
from penstock_collector.auth.viewer import Viewer
from penstock_collector.collector import collector_of
from penstock_collector.store.database import StoreError
from penstock_collector.store.requests import Asked, Kept
from penstock_collector.web.bodies import TooLarge, body_of, refuse
from penstock_collector.web.deciding import document, end, review, status_of
from penstock_collector.web.gates import book_of
from penstock_collector.web.guards import reading
from penstock_collector.web.security import from_own_page
from penstock_core.approvals.access import AskingAccess
from penstock_core.approvals.access_news import MOST_NEWS_BYTES, AskingNews
from penstock_core.approvals.asking import MOST_BODY_BYTES
from penstock_core.approvals.standing import NotPossibleError
from penstock_core.bodies import first_trouble

_MOST_BY_A_PERSON = 32 * 1024
_WAIT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})?")
_Name = Annotated[str, Field(max_length=256)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class _Wished(_Body):
    policy: _Name
    duration: _Name
    reason: Annotated[str, Field(max_length=1024)]
    break_glass: bool = False
    namespace: _Name = ""
    database: _Name = ""
    subject: _Name = ""
    issuer: _Name = ""


class _Reviewed(_Body):
    comment: str


async def post_news(request: Request) -> Response:
    """What lasts of a gate's database: an `AskingNews`, which is answered with `News`; with `?wait=10`, not before
    something is otherwise than the gate knows, or 10 s are over.
    """
    wait = request.query_params.get("wait", "0")
    if not _WAIT.fullmatch(wait):
        return refuse(400, "wait is a number of seconds")

    async def answer(book: Book, body: bytes) -> Response:
        news = await collector_of(request).access.news(book, AskingNews.read(body), float(wait))
        return JSONResponse(news.model_dump(mode="json", exclude_none=True))

    return await _of_gate(request, MOST_NEWS_BYTES, answer)


async def post_asking(request: Request) -> Response:
    """May this policy be in effect for a client of the gate? An `AskingAccess`, which is answered with `Answered`."""

    async def answer(book: Book, body: bytes) -> Response:
        asking = AskingAccess.read(body)
        namespace = book.pod.namespace if book.pod is not None else request.query_params.get("namespace", "default")
        answered = await collector_of(request).access.ask(book, namespace, asking)
        return JSONResponse(answered.model_dump(mode="json", exclude_none=True))

    return await _of_gate(request, MOST_BODY_BYTES, answer)


async def _of_gate(request: Request, most: int, answer: Callable[[Book, bytes], Awaitable[Response]]) -> Response:
    book = await book_of(request, "access")
    if isinstance(book, Response):
        return book
    try:
        return await answer(book, await body_of(request, most))
    except TooLarge:
        return refuse(413, f"that is more than {most} bytes")
    except ClientDisconnect:
        return refuse(400, "the request ended early")
    except NotItsOwnError as error:
        return refuse(403, str(error))
    except StoreError as error:
        return refuse(503, str(error))
    except ValueError as error:
        return refuse(400, str(error))


async def list_offers(request: Request) -> Response:
    """What can be asked for, and for how long."""
    offers = [
        {
            "namespace": one.namespace,
            "database": one.database,
            "policy": one.offer.policy,
            "longest": one.offer.on_request.max_duration if one.offer.on_request is not None else None,
            "approvers": list(one.offer.on_request.approvers.groups) if one.offer.on_request is not None else [],
            "longestEmergency": one.offer.break_glass.max_duration if one.offer.break_glass is not None else None,
            "reviewers": list(one.offer.break_glass.reviewers.groups) if one.offer.break_glass is not None else [],
        }
        for one in collector_of(request).access.offers.all()
    ]
    return JSONResponse({"offers": offers})


async def post_wish(request: Request) -> Response:
    """A person asks: `{"policy": "incident", "duration": "1h", "reason": "…"}`."""
    words = 'access is asked for by {"policy": "…", "duration": "1h", "reason": "…"}'

    async def step(body: bytes) -> Kept | str:
        wished = _Wished.model_validate_json(body)
        return await _wished(request, Wish(**wished.model_dump()))

    return await _of_person(request, words, step)


async def _wished(request: Request, wish: Wish) -> Kept | str:
    """The request, or why there is none, and the record of either. Raises NotPossibleError, StoreError."""
    collector = collector_of(request)

    def record(connection: sqlite3.Connection, asked: Asked) -> None:
        refused = asked.kept is None
        result = "refused" if refused else "emergency" if wish.break_glass else ""
        name = wish.policy if asked.kept is None else asked.kept.name
        why = asked.answered.comment or "" if refused else ""
        collector.readings.seal(connection, reading(request, "asked", name, result=result, reason=why))

    try:
        return await collector.access.wish(wish, _viewer(request), record)
    except NotPossibleError as error:
        # Nothing was begun that this could be recorded with.
        with contextlib.suppress(StoreError):
            refused = reading(request, "asked", wish.policy, result="refused", reason=str(error))
            await collector.readings.failure(refused)
        raise


async def post_end(request: Request) -> Response:
    """A person ends access before its time."""

    async def step(_body: bytes) -> Kept | str:
        return await end(request)

    return await _of_person(request, "", step)


async def post_review(request: Request) -> Response:
    """A person reviews an emergency: `{"comment": "…"}`."""

    async def step(body: bytes) -> Kept | str:
        return await review(request, _Reviewed.model_validate_json(body).comment)

    return await _of_person(request, 'a review is {"comment": "…"}', step)


async def _of_person(request: Request, words: str, step: Callable[[bytes], Awaitable[Kept | str]]) -> Response:
    if not from_own_page(request):
        return refuse(403, "this was not sent from a page of the collector")
    viewer = _viewer(request)
    try:
        kept = await step(await body_of(request, _MOST_BY_A_PERSON))
    except TooLarge:
        return refuse(413, f"that is more than {_MOST_BY_A_PERSON} bytes")
    except ClientDisconnect:
        return refuse(400, "the request ended early")
    except ValidationError as error:
        return refuse(400, f"{words}; {first_trouble(error)}")
    except NotPossibleError as error:
        return refuse(status_of(error), str(error))
    except StoreError as error:
        return refuse(503, str(error))
    return refuse(409, kept) if isinstance(kept, str) else JSONResponse(document(kept, viewer))


def _viewer(request: Request) -> Viewer:
    viewer: Viewer = request.state.viewer
    return viewer
