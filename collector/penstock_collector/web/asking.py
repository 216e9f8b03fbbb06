"""Gates that ask for approval: `POST /v1/streams/{owner}/requests`, and the look at one of them that waits for news.

What doesn't belong: what becomes of a request (`penstock_collector.approvals`), people (`deciding.py`).
"""

from __future__ import annotations

import re

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from penstock_collector.approvals.holder import Book, NotItsOwnError
from penstock_collector.approvals.polls import TooManyPollsError
from penstock_collector.auth.kubernetes import ReviewUnavailable
from penstock_collector.auth.streams import Forbidden, Unauthenticated
from penstock_collector.collector import collector_of
from penstock_collector.store.database import StoreError
from penstock_collector.web.bodies import PART, TooLarge, body_of, refuse
from penstock_collector.web.security import bearer
from penstock_core.approvals.asking import MOST_BODY_BYTES, Answered, Asking

_log = structlog.get_logger(__name__)

_WAIT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})?")


async def post_request(request: Request) -> Response:
    """May this statement run now? An `Asking`, which is answered with an `Answered`."""
    book = await book_of(request)
    if isinstance(book, Response):
        return book
    try:
        asking = Asking.read(await body_of(request, MOST_BODY_BYTES))
        answered = await collector_of(request).holder.ask(book, asking)
    except TooLarge:
        return refuse(413, f"a request is at most {MOST_BODY_BYTES} bytes")
    except ClientDisconnect:
        return refuse(400, "the request ended early")
    except ValueError as error:
        return refuse(400, str(error))
    except NotItsOwnError as error:
        return refuse(403, str(error))
    except StoreError as error:
        _log.error(str(error))
        return refuse(503, str(error))
    return _answer(answered)


async def get_request(request: Request) -> Response:
    """What has become of one of the sender's requests; with `?wait=20`, once it has been decided, or after 20 s."""
    book = await book_of(request)
    if isinstance(book, Response):
        return book
    wait, name = request.query_params.get("wait", "0"), request.path_params["name"]
    if not _WAIT.fullmatch(wait):
        return refuse(400, "wait is a number of seconds")
    try:
        answered = await collector_of(request).holder.look(book, name, float(wait))
    except (TooManyPollsError, StoreError) as error:
        return refuse(503, str(error))
    return refuse(404, "there is no such request of this sender") if answered is None else _answer(answered)


async def book_of(request: Request) -> Book | Response:
    """Whose requests the sender may ask for, or why it may not."""
    owner = request.path_params["owner"]
    if not PART.fullmatch(owner):
        return refuse(400, "an owner is of letters, digits and ._- and no longer than 128")
    try:
        return Book.of(owner, await collector_of(request).authority.check(bearer(request), owner))
    except Unauthenticated:
        return refuse(401, "the token proves nobody who may ask for approval")
    except Forbidden:
        return refuse(403, f"the token may not ask for {owner}")
    except ReviewUnavailable as error:
        _log.warning("cannot check a sender", why=str(error))
        return refuse(503, "the token cannot be checked at the moment")


def _answer(answered: Answered) -> Response:
    return JSONResponse(answered.model_dump(mode="json", exclude_none=True))
