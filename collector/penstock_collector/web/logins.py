"""Logins, accepted and refused: the page, and the same as JSON.

What doesn't belong: the query (`penstock_collector.login_search`), statements (`pages.py`, `api.py`), logging in to the
collector itself (`login.py`).
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from penstock_collector.login_search import LOGINS, LoginFilters
from penstock_collector.web.api import searched
from penstock_collector.web.pages import listing

# Filters that the form has no fields for: they come by links, and show as chips.
_CHIPS = ("address", "stream", "session", "since", "until")


async def login_list(request: Request) -> Response:
    """The page: history, and on its first page what happens now."""
    return await listing(request, "logins.html", LoginFilters, LOGINS, _CHIPS)


async def search_logins(request: Request) -> Response:
    """Logins that match, latest first: `{"logins": […], "next": <before of the next page, or null>}`."""
    page = await searched(request, LoginFilters, LOGINS)
    if isinstance(page, Response):
        return page
    return JSONResponse({"logins": [one.document() for one in page.records], "next": page.before, "order": page.order})
