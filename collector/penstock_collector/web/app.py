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

from penstock_collector.auth.roles import Right
from penstock_collector.auth.sign_in import CALLBACK
from penstock_collector.collector import Collector
from penstock_collector.web import (
    access,
    alarms,
    cluster_inbox,
    deciding,
    exporting,
    holds,
    inbox,
    live,
    login,
    logins,
    pages,
    people,
    sign_in,
)
from penstock_collector.web import api as answers
from penstock_collector.web.asking import get_request, post_request
from penstock_collector.web.guards import Guarded, api, open_to, page
from penstock_collector.web.ingest import post_events
from penstock_collector.web.parameters import TAKEN
from penstock_collector.web.rendering import problem
from penstock_collector.web.security import SecurityHeaders, secured
from penstock_collector.web.shares import Shares
from penstock_collector.web.ticketing import get_salt, put_ticket, use_ticket

_ON_CLUSTER = "/requests/on-cluster/{namespace}/{name}"


class _Static(StaticFiles):
    """Static files whose URLs change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def build(collector: Collector) -> Starlette:
    """The application of one collector. Each path says what it needs, and what the record calls it."""
    with as_file(files("penstock_collector.web").joinpath("static")) as directory:
        static = _Static(directory=directory)
    app = Starlette(
        routes=[*_for_people(), *_for_programs(), *_for_all(), Mount("/static", static)],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={HTTPException: _http_problem, Exception: _fault},
    )
    for route in app.routes:
        if isinstance(route, Route):
            guarded: Guarded = route.endpoint.guarded  # type: ignore[attr-defined] # of `guards.py`, as all are
            guarded.takes = TAKEN.get(route.path, ())
    app.state.collector = collector
    app.state.shares = Shares()
    # Where these lead would be the Host header's to say.
    app.router.redirect_slashes = False
    return app


def build_health(collector: Collector) -> Starlette:
    """What the kubelet and Prometheus ask, for a listener of its own, which nobody can crowd from the other one."""
    routes = [
        Route("/healthz", answers.healthz), Route("/readyz", answers.readyz), Route("/metrics", answers.metrics),
    ]  # fmt: skip
    app = Starlette(routes=routes, middleware=[Middleware(SecurityHeaders)])
    app.state.collector = collector
    app.router.redirect_slashes = False
    return app


def _for_people() -> list[Route]:
    return [
        Route("/", page(Right.STATEMENTS, pages.statements, "searched")),
        Route("/tail", api(Right.STATEMENTS, live.tail, "followed")),
        Route("/statements/{owner}/{boot}/{seq}", page(Right.STATEMENTS, pages.statement, "opened")),
        Route("/logins", page(Right.STATEMENTS, logins.login_list, "searched")),
        Route("/logins/tail", api(Right.STATEMENTS, live.login_tail, "followed")),
        Route("/streams", page(Right.STATEMENTS, pages.stream_list, "opened")),
        Route("/alarms", page(Right.ALARMS, alarms.acknowledge_on_page), methods=["POST"]),
        Route("/holds", page(Right.HOLDS, holds.change_on_page), methods=["POST"]),
        Route("/requests", page(Right.REQUESTS, inbox.inbox, "opened")),
        Route("/requests/tail", api(Right.REQUESTS, inbox.follow, "followed")),
        Route("/requests/{name}", page(Right.REQUESTS, inbox.one_request, "opened")),
        Route("/requests/{name}", page(Right.DECIDE, inbox.decide_on_page), methods=["POST"]),
        Route(_ON_CLUSTER, page(Right.REQUESTS, cluster_inbox.one_on_cluster, "opened")),
        Route(_ON_CLUSTER, page(Right.DECIDE, cluster_inbox.decide_on_cluster), methods=["POST"]),
        Route("/readings", page(Right.READINGS, people.show_readings, "opened")),
        Route("/sign-ins", page(Right.SIGN_INS, people.sign_ins, "opened")),
        Route("/sign-ins", page(Right.SIGN_INS, people.end_sign_in), methods=["POST"]),
    ]


def _for_programs() -> list[Route]:
    return [
        Route("/v1/events", api(Right.STATEMENTS, answers.search_events, "searched")),
        Route("/v1/logins", api(Right.STATEMENTS, logins.search_logins, "searched")),
        Route("/v1/streams", api(Right.STATEMENTS, answers.list_streams, "opened")),
        Route("/v1/alarms", api(Right.STATEMENTS, alarms.list_alarms, "opened")),
        Route("/v1/alarms/past", api(Right.PAST_ALARMS, alarms.list_past, "opened")),
        Route("/v1/alarms/acknowledged", api(Right.ALARMS, alarms.post_acknowledged), methods=["POST"]),
        Route("/v1/holds", api(Right.HOLDS, holds.list_holds, "opened")),
        Route("/v1/holds", api(Right.HOLDS, holds.post_hold), methods=["POST"]),
        Route("/v1/holds/{number:int}/release", api(Right.HOLDS, holds.post_release), methods=["POST"]),
        Route("/v1/export", api(Right.EXPORT, exporting.export_events, "exported")),
        Route("/v1/readings", api(Right.READINGS, people.list_readings, "opened")),
        Route("/v1/requests", api(Right.REQUESTS, deciding.list_requests, "opened")),
        Route("/v1/requests/{name}", api(Right.REQUESTS, deciding.show_request, "opened")),
        Route("/v1/requests/{name}/decision", api(Right.DECIDE, deciding.decide_request), methods=["POST"]),
        Route("/v1/requests/{name}/end", api(Right.DECIDE, access.post_end), methods=["POST"]),
        Route("/v1/requests/{name}/review", api(Right.DECIDE, access.post_review), methods=["POST"]),
        Route("/v1/access", api(Right.REQUESTS, access.list_offers, "opened")),
        Route("/v1/access", api(Right.REQUESTS, access.post_wish), methods=["POST"]),
        Route("/v1/streams/{owner}/{boot}/events", open_to("gates", post_events), methods=["POST"]),
        Route("/v1/streams/{owner}/access", open_to("gates", access.post_news), methods=["POST"]),
        Route("/v1/streams/{owner}/access/requests", open_to("gates", access.post_asking), methods=["POST"]),
        Route("/v1/streams/{owner}/requests", open_to("gates", post_request), methods=["POST"]),
        Route("/v1/streams/{owner}/requests/{name}", open_to("gates", get_request)),
        Route("/v1/streams/{owner}/tickets/{name}", open_to("gates", get_salt)),
        Route("/v1/streams/{owner}/tickets/{name}", open_to("gates", put_ticket), methods=["PUT"]),
        Route("/v1/streams/{owner}/tickets/{name}/use", open_to("gates", use_ticket), methods=["POST"]),
    ]


def _for_all() -> list[Route]:
    return [
        Route("/login", open_to("everybody", login.show_login)),
        Route("/login", open_to("everybody", login.log_in), methods=["POST"]),
        Route("/login/provider", open_to("everybody", sign_in.go)),
        Route(CALLBACK, open_to("everybody", sign_in.come_back)),
        Route("/logout", open_to("everybody", login.log_out), methods=["POST"]),
        Route("/healthz", open_to("everybody", answers.healthz)),
        Route("/readyz", open_to("everybody", answers.readyz)),
        Route("/metrics", open_to("everybody", answers.metrics)),
    ]


async def _http_problem(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    said = error.detail if isinstance(error, HTTPException) else "Something failed."
    if request.url.path.startswith("/v1/"):
        return JSONResponse({"error": said}, status)
    return problem(request, status, "There is no such page." if status == 404 else said)


async def _fault(request: Request, error: Exception) -> Response:
    """Ours; answered outside of all else, and so with its headers here."""
    return secured(await _http_problem(request, error))
