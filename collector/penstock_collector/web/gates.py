"""Which gate sends: whose requests for approval and tickets it may ask for, by what its token proves.

What doesn't belong: what it asks for (`asking.py`, `ticketing.py`).
"""

from __future__ import annotations

import structlog
from starlette.requests import Request
from starlette.responses import Response

from penstock_collector.approvals.holder import Book
from penstock_collector.auth.kubernetes import ReviewUnavailable
from penstock_collector.auth.streams import Forbidden, Unauthenticated
from penstock_collector.auth.token_file import fingerprint
from penstock_collector.collector import collector_of
from penstock_collector.store.fair_turns import on_behalf_of
from penstock_collector.web.bodies import PART, refuse
from penstock_collector.web.security import bearer
from penstock_entrance.guarded_http import known

_log = structlog.get_logger(__name__)


async def book_of(request: Request, what: str) -> Book | Response:
    """Whose `what` the sender may ask for, or why it may not."""
    owner = request.path_params["owner"]
    if not PART.fullmatch(owner):
        return refuse(400, "an owner is of letters, digits and ._- and no longer than 128")
    try:
        book = Book.of(owner, await collector_of(request).authority.check(bearer(request), owner))
        begin_for_sender(request)
        return book
    except Unauthenticated:
        return refuse(401, f"the token proves nobody who may ask for {what}")
    except Forbidden:
        return refuse(403, f"the token may not ask for {owner}")
    except ReviewUnavailable as error:
        _log.warning("cannot check a sender", why=str(error))
        return refuse(503, "the token cannot be checked at the moment")


def begin_for_sender(request: Request) -> str:
    """Its token was checked: what follows is done in its turn, whatever streams the token opens; what it is called."""
    sender = f"gate {fingerprint(bearer(request))}"
    known(request, sender)
    on_behalf_of.set(sender)
    return sender
