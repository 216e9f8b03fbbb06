"""The page of a request that is an object of a cluster: shown and decided with the credentials of who is signed in.

Where they have none that the API server takes, it says why, and how kubectl does it. What doesn't belong: the API
server's part (`approvals/on_cluster.py`), requests that the collector holds itself (`inbox.py`).
"""

from __future__ import annotations

import re
import sqlite3
from typing import NoReturn

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from penstock_collector.approvals.holder import TooManyAttemptsError
from penstock_collector.approvals.on_cluster import ClusterUnavailableError, OutcomeUnknownError, Ready, Seen
from penstock_collector.auth.credentials import NoCredentialError
from penstock_collector.auth.personal_api import TokenNotTaken
from penstock_collector.auth.viewer import Viewer
from penstock_collector.collector import collector_of
from penstock_collector.store import cluster_requests
from penstock_collector.store.database import StoreError
from penstock_collector.web.bodies import read_form
from penstock_collector.web.deciding import status_of
from penstock_collector.web.guards import reading
from penstock_collector.web.login import form as login_form
from penstock_collector.web.pages import bar
from penstock_collector.web.rendering import problem, render
from penstock_collector.web.security import from_own_page, session_secret
from penstock_core.approvals.standing import Decision, NotAllowedError, NotPossibleError, Standing
from penstock_core.resources.vocabulary import DURATION, WORDS

_log = structlog.get_logger(__name__)

_DECISIONS: dict[str, Decision] = {"approved": "approved", "denied": "denied"}
_ENDED = "The API server no longer knows your token, so your session has ended. Sign in again."

_AWAY = "The API server could not be asked, so that nothing of it is shown here. Open this page again to look."


class _SessionEnded(Exception):
    """With the token that it stood on."""


async def one_on_cluster(request: Request) -> Response:
    """A request; with `?decide=approved` or `denied`, the second step."""
    return await _page(request, request.query_params.get("decide", ""))


async def decide_on_cluster(request: Request) -> Response:
    """The form of the second step was sent."""
    if not from_own_page(request):
        return problem(request, 403, "That form was not sent from this page.")
    if not _is_named(request):
        return problem(request, 404, "There is no such request.")
    fields = await read_form(request)
    step = fields.get("decision", "")
    if step not in _DECISIONS:
        return await _page(request, said="That was no decision. Choose one of the two.", status=400)
    try:
        await _decided(request, _DECISIONS[step], fields)
    except NoCredentialError:
        return await _page(request, status=403)
    except _SessionEnded:
        return _signed_out(request)
    except TooManyAttemptsError as error:
        return problem(request, 429, f"Not done: {error}.")
    except (ClusterUnavailableError, OutcomeUnknownError) as error:
        # Nobody waits for it once more.
        return await _page(request, said=f"Not done: {error}.", status=status_of(error), why=_AWAY)
    except NotPossibleError as error:
        return await _page(request, step, said=f"Not done: {error}.", status=status_of(error))
    except StoreError as error:
        return problem(request, 503, f"The decision can't be recorded, and so was not sent: {error}.")
    return RedirectResponse(_here(request), 303)


async def _decided(request: Request, decision: Decision, fields: dict[str, str]) -> None:
    """Raises NoCredentialError, NotPossibleError, StoreError; none of it is done that can't be recorded before."""
    lasts = fields.get("lasts", "").strip() if decision == "approved" else ""
    collector_of(request).on_cluster.attempt(request.state.viewer.name)
    token = await _token(request)
    try:
        if lasts and not re.fullmatch(DURATION, lasts):
            raise NotPossibleError(f"a duration {WORDS[DURATION]}")
        seen = await _seen(request, token)
        if barred := request.state.viewer.barred:
            raise NotAllowedError(barred)
        ready = collector_of(request).on_cluster.ready(
            seen, fields.get("uid", ""), decision, fields.get("comment", ""), lasts
        )
    except NotPossibleError as error:
        await _record(request, "decided", "refused", str(error))
        raise
    await _record(request, "deciding", decision, f"as {ready.status.decided_by}")
    await _written(request, token, ready, decision)


async def _written(request: Request, token: str, ready: Ready, decision: Decision) -> None:
    collector = collector_of(request)
    try:
        await collector.on_cluster.write(token, ready)
    except NotPossibleError as error:
        result = "unknown" if isinstance(error, OutcomeUnknownError) else "refused"
        await _outcome(request, result, str(error))
        raise
    except TokenNotTaken:
        await _outcome(request, "refused", "the API server no longer knows the token")
        _not_taken(request, token)
    await _outcome(request, decision)


def _not_taken(request: Request, token: str) -> NoReturn:
    """Raises NoCredentialError, or _SessionEnded."""
    if why := collector_of(request).credentials.not_taken(session_secret(request), token):
        raise NoCredentialError(why)
    raise _SessionEnded


async def _record(request: Request, action: str, result: str, reason: str = "") -> None:
    await collector_of(request).readings.record(reading(request, action, _name(request), result=result, reason=reason))


async def _outcome(request: Request, result: str, reason: str = "") -> None:
    """What became of it, together with what the inbox shows; that it was to be decided is on record already."""
    collector = collector_of(request)
    done = reading(request, "decided", _name(request), result=result, reason=reason)

    def job(connection: sqlite3.Connection) -> None:
        collector.readings.seal(connection, done)
        if result in _DECISIONS:
            cluster_requests.settle(connection, request.path_params["namespace"], request.path_params["name"])

    try:
        await collector.writer.run(job)
    except StoreError as error:
        # It has been decided, and the object says by whom: nothing can be taken back.
        _log.error("what became of a decision can't be recorded", request=_name(request), result=result, why=str(error))


async def _page(request: Request, deciding: str = "", said: str = "", status: int = 200, why: str = "") -> Response:
    """With `why`, the API server is not asked."""
    if not _is_named(request):
        return problem(request, 404, "There is no such request.")
    namespace, name = request.path_params["namespace"], request.path_params["name"]
    collector = collector_of(request)
    try:
        told, counts = await collector.readers.run(
            lambda connection: (cluster_requests.find(connection, namespace, name), bar(connection))
        )
    except StoreError as error:
        return problem(request, 503, str(error))
    command = cluster_requests.command(namespace, name)
    try:
        seen = None if why else await _seen(request, await _token(request))
    except _SessionEnded:
        return _signed_out(request)
    except NoCredentialError as error:
        why = str(error)
    except NotPossibleError as error:
        why, status = f"{str(error)[:1].upper()}{str(error)[1:]}.", status if status >= 400 else status_of(error)
    else:
        if seen is not None:
            return _shown(request, seen, command, deciding, said, status, counts)
    return render(
        request, "cluster_request.html", status, name=name, told=told, why=why, said=said, command=command, **counts
    )


def _shown(
    request: Request, seen: Seen, command: str, deciding: str, said: str, status: int, counts: dict[str, int]
) -> Response:
    viewer: Viewer = request.state.viewer
    kept = seen.kept
    objection = (viewer.barred or seen.objection) if kept.waiting else ""
    return render(
        request,
        "request.html",
        status,
        kept=kept,
        others=(),
        who=viewer,
        here=_here(request),
        command=command,
        known_as=seen.approver.name,
        # The API server has shown it to them, as it would by kubectl.
        sees_text=True,
        deciding=deciding if deciding in _DECISIONS and kept.standing is Standing.WAITING and not objection else "",
        objection=objection,
        ends=False,
        late=False,
        said=said,
        **counts,
    )


def _signed_out(request: Request) -> Response:
    request.state.viewer = None
    return login_form(request, _here(request), _ENDED, 403)


async def _token(request: Request) -> str:
    """Raises NoCredentialError."""
    return await collector_of(request).credentials.of(session_secret(request), request.state.viewer)


async def _seen(request: Request, token: str) -> Seen:
    """Raises NotPossibleError, NoCredentialError, _SessionEnded."""
    viewer: Viewer = request.state.viewer
    try:
        return await collector_of(request).on_cluster.look(
            token, request.path_params["namespace"], request.path_params["name"], {viewer.name, *viewer.also}
        )
    except TokenNotTaken:
        _not_taken(request, token)


def _is_named(request: Request) -> bool:
    """Whether there can be such an object: what else is in a path is sent to no API server."""
    return all(cluster_requests.is_name(request.path_params[part]) for part in ("namespace", "name"))


def _name(request: Request) -> str:
    return f"{request.path_params['namespace']}/{request.path_params['name']}"


def _here(request: Request) -> str:
    return f"/requests/on-cluster/{_name(request)}"
