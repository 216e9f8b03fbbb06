"""Gates that make and take one-time tickets: `/v1/streams/{owner}/tickets/{name}`, and `…/use`.

GET tells the salt that a secret is proved with, PUT keeps a new ticket, POST to `use` judges what a client has proved.
What doesn't belong: what becomes of a ticket (`penstock_collector.tickets`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from penstock_collector.approvals.holder import Book
from penstock_collector.collector import collector_of
from penstock_collector.store.database import StoreError
from penstock_collector.tickets import TakenError, TooManyTicketsError
from penstock_collector.web.bodies import TooLarge, body_of, refuse
from penstock_collector.web.gates import book_of
from penstock_core.tickets.ticket import MOST_BODY_BYTES, Made, Proved, is_name

_log = structlog.get_logger(__name__)


async def get_salt(request: Request) -> Response:
    """The `Salt` of any name that a ticket may have."""
    return await _answered(request, lambda book, name: collector_of(request).tickets.salt(book.name, name))


async def put_ticket(request: Request) -> Response:
    """Keep a ticket: a `Made`, which is answered with a `Kept`."""

    async def keep(book: Book, name: str) -> BaseModel:
        made = Made.read(await body_of(request, MOST_BODY_BYTES))
        return await collector_of(request).tickets.keep(book.name, name, made)

    return await _answered(request, keep)


async def use_ticket(request: Request) -> Response:
    """Is a ticket good for who has proved this? A `Proved`, which is answered with a `Judged`."""

    async def use(book: Book, name: str) -> BaseModel:
        proved = Proved.read(await body_of(request, MOST_BODY_BYTES))
        return await collector_of(request).tickets.use(book.name, name, proved)

    return await _answered(request, use)


async def _answered(request: Request, answer: Callable[[Book, str], Awaitable[BaseModel]]) -> Response:
    book, name = await book_of(request, "tickets"), request.path_params["name"]
    if isinstance(book, Response):
        return book
    if not is_name(name):
        return refuse(400, "a ticket's name is ticket- and twenty letters and digits of base32")
    try:
        said = await answer(book, name)
    except TooLarge:
        return refuse(413, f"a body is at most {MOST_BODY_BYTES} bytes")
    except ClientDisconnect:
        return refuse(400, "the request ended early")
    except ValueError as error:
        return refuse(400, str(error))
    except TakenError:
        return refuse(409, "there is a ticket of that name already")
    except TooManyTicketsError as error:
        return refuse(429, str(error))
    except StoreError as error:
        _log.error(str(error))
        return refuse(503, str(error))
    return Response(said.model_dump_json(by_alias=True, exclude_none=True), media_type="application/json")
