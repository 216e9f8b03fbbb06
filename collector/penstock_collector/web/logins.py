"""Logins, accepted and refused: the page, and the same as JSON.

What doesn't belong: the query (`penstock_collector.login_search`), statements (`pages.py`, `api.py`), logging in to the
collector itself (`login.py`).
"""

from __future__ import annotations

import sqlite3

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from penstock_collector.collector import collector_of
from penstock_collector.login_search import LOGINS, LoginFilters, LoginRecord
from penstock_collector.lookup import BadFilter, Page
from penstock_collector.store.database import StoreError
from penstock_collector.web.api import searched
from penstock_collector.web.pages import PAGE_ROWS, bar, whole_number
from penstock_collector.web.rendering import problem, render

# Filters that the form has no fields for: they come by links, and show as chips.
_CHIPS = ("address", "stream", "session", "since", "until")


async def login_list(request: Request) -> Response:
    """The page: history, and on its first page what happens now."""
    try:
        filters = LoginFilters.parse(request.query_params)
        before = whole_number(request, "before")
    except BadFilter as error:
        return problem(request, 400, str(error))

    def read(connection: sqlite3.Connection) -> tuple[Page[LoginRecord], dict[str, int]]:
        return LOGINS.page(connection, filters, before, PAGE_ROWS), bar(connection)

    try:
        page, counts = await collector_of(request).readers.run(read)
    except StoreError as error:
        return problem(request, 503, str(error))
    chips = [(name, value) for name in _CHIPS if (value := getattr(filters, name))]
    return render(
        request,
        "logins.html",
        page=page,
        filters=filters,
        chips=[(name, value, "/logins?" + filters.query(**{name: ""})) for name, value in chips],
        live=before is None,
        follow="/logins/tail?" + filters.query(after=str(page.cursor), format="html"),
        older="/logins?" + filters.query(before=str(page.before)) if page.before is not None else "",
        latest="/logins?" + filters.query() if before is not None else "",
        filtered=bool(filters.query()),
        **counts,
    )


async def search_logins(request: Request) -> Response:
    """Logins that match, latest first: `{"logins": […], "next": <before of the next page, or null>}`."""
    page = await searched(request, LoginFilters, LOGINS)
    if isinstance(page, Response):
        return page
    return JSONResponse({"logins": [one.document() for one in page.records], "next": page.before})
