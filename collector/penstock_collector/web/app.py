"""Every path the collector answers, and what guards it.

What doesn't belong: the answers.
"""

from __future__ import annotations

from importlib.resources import as_file, files

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from penstock_collector.collector import Collector
from penstock_collector.web import access, deciding, inbox, live, login, logins, pages
from penstock_collector.web import api as answers
from penstock_collector.web.asking import get_request, post_request
from penstock_collector.web.ingest import post_events
from penstock_collector.web.security import SecurityHeaders, api, page


class _Static(StaticFiles):
    """Static files whose URLs change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def build(collector: Collector) -> Starlette:
    """The application of one collector. All that shows data is within `page` or `api`."""
    with as_file(files("penstock_collector.web").joinpath("static")) as directory:
        static = _Static(directory=directory)
    app = Starlette(
        routes=[
            Route("/", page(pages.statements)),
            Route("/tail", api(live.tail)),
            Route("/statements/{owner}/{boot}/{seq:int}", page(pages.statement)),
            Route("/logins", page(logins.login_list)),
            Route("/logins/tail", api(live.login_tail)),
            Route("/streams", page(pages.stream_list)),
            Route("/alarms", page(pages.dismiss_alarm), methods=["POST"]),
            Route("/requests", page(inbox.inbox)),
            Route("/requests/tail", api(inbox.follow)),
            Route("/requests/{name}", page(inbox.one_request)),
            Route("/requests/{name}", page(inbox.decide_on_page), methods=["POST"]),
            Route("/login", login.show_login),
            Route("/login", login.log_in, methods=["POST"]),
            Route("/logout", login.log_out, methods=["POST"]),
            Route("/v1/events", api(answers.search_events)),
            Route("/v1/logins", api(logins.search_logins)),
            Route("/v1/streams", api(answers.list_streams)),
            Route("/v1/export", api(answers.export_events)),
            Route("/v1/streams/{owner}/{boot}/events", post_events, methods=["POST"]),
            Route("/v1/requests", api(deciding.list_requests)),
            Route("/v1/requests/{name}", api(deciding.show_request)),
            Route("/v1/requests/{name}/decision", api(deciding.decide_request), methods=["POST"]),
            Route("/v1/requests/{name}/end", api(access.post_end), methods=["POST"]),
            Route("/v1/requests/{name}/review", api(access.post_review), methods=["POST"]),
            Route("/v1/access", api(access.list_offers)),
            Route("/v1/access", api(access.post_wish), methods=["POST"]),
            Route("/v1/streams/{owner}/access", access.post_news, methods=["POST"]),
            Route("/v1/streams/{owner}/access/requests", access.post_asking, methods=["POST"]),
            Route("/v1/streams/{owner}/requests", post_request, methods=["POST"]),
            Route("/v1/streams/{owner}/requests/{name}", get_request),
            Route("/healthz", answers.healthz),
            Route("/readyz", answers.readyz),
            Route("/metrics", answers.metrics),
            Mount("/static", static),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={HTTPException: _http_problem},
    )
    app.state.collector = collector
    return app


async def _http_problem(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    said = error.detail if isinstance(error, HTTPException) else "Something failed."
    if request.url.path.startswith("/v1/"):
        return JSONResponse({"error": said}, status)
    return pages.problem(request, status, "There is no such page." if status == 404 else said)
