"""The HTTP of `control`: admission reviews and the policy stream; what gates ask about approvals is `asking.py`'s,
what they report `reporting.py`'s.

What doesn't belong: deciding (`penstock_operator.inject`, `reviews.py`, `policies.py`) and TLS (`certificate.py`).
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from traceback import extract_tb

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from penstock_core.pod_token import claims
from penstock_core.token_review import Pod
from penstock_operator.cluster.watch import Json, Key
from penstock_operator.control import reviews
from penstock_operator.control.access_asking import AccessAsker, AskedAccess
from penstock_operator.control.asking import Asked
from penstock_operator.control.callers import CallerError, TooLargeError, bearer, caller_of, problem
from penstock_operator.control.gate_reports import GateReports
from penstock_operator.control.gated_databases import GatedDatabases
from penstock_operator.control.lasting import Lasting, LastingResponse, Listener, Notice
from penstock_operator.control.lost_events import LostEvents
from penstock_operator.control.metrics import ControlMetrics
from penstock_operator.control.policies import Policies, Topic
from penstock_operator.control.reporting import Reporting
from penstock_operator.control.requests_holder import RequestsHolder
from penstock_operator.control.review_intake import BusyError, ReviewIntake
from penstock_operator.control.tokens import Tokens
from penstock_operator.inject.admission_review import BadReview
from penstock_operator.inject.admit import admit, admit_intrusion
from penstock_operator.inject.sidecar import Shape
from penstock_operator.inject.workloads import advise

HEARTBEAT_SECONDS = 15.0
SHORTEST_STREAM_SECONDS = 60.0
# Where the API server asks about pods of namespaces that have the label.
LABELLED = "/mutate/labelled"
_log = structlog.get_logger(__name__)


class Control:
    """What answers need, and whether they can be given."""

    def __init__(
        self,
        policies: Policies,
        tokens: Tokens,
        holder: RequestsHolder,
        shape: Shape,
        metrics: ControlMetrics,
        review_tokens: Sequence[str] = (),
        reader: tuple[str, str] = ("", ""),
        lost: LostEvents | None = None,
        *,
        gated: GatedDatabases,
    ) -> None:
        """`reader`: namespace and service account of who may read what gates reported; `lost`: who is told of events
        that went with their pod; `gated`: which Databases a pod may ask about.
        """
        self.policies = policies
        self.holder = holder
        self.tokens = tokens
        self.gated = gated
        self.shape = shape
        self.metrics = metrics
        self.intake = ReviewIntake(review_tokens)
        self.reports = GateReports()
        self.reporting = Reporting(self.reports, policies, tokens, gated, reader, lost)
        # Set when the process is to end: streams end, so that sidecars go to another replica at once.
        self.stopping = Notice()

    async def mutate(self, request: Request) -> Response:
        """An AdmissionReview of a pod that speaks of a gate, or is in a namespace whose pods get one."""
        labelled = request.url.path == LABELLED

        def answer(review: object) -> Json:
            return admit(review, self.policies, self.shape, labelled=labelled)

        return await self._reviewed(request, "mutate", answer)

    async def guard(self, request: Request) -> Response:
        """An AdmissionReview of what somebody does to a running pod."""

        def answer(review: object) -> Json:
            return admit_intrusion(review, self.policies, self.shape)

        return await self._reviewed(request, "guard", answer)

    async def advise(self, request: Request) -> Response:
        """An AdmissionReview of a workload, or a namespace."""

        def answer(review: object) -> Json:
            return advise(review, self.policies, self.shape)

        return await self._reviewed(request, "advise", answer)

    async def validate(self, request: Request) -> Response:
        """An AdmissionReview of one of our resources."""

        def answer(review: object) -> Json:
            return reviews.validate(review, self.policies)

        return await self._reviewed(request, "validate", answer)

    async def _reviewed(self, request: Request, kind: str, answer: Callable[[object], Json]) -> Response:
        if self.policies.lacking:
            return problem(503, f"not ready: waiting for {', '.join(self.policies.lacking)}")
        try:
            self.intake.check(request)
            document = await self.intake.judged(request, answer)
        except CallerError as refusal:
            return problem(refusal.status, str(refusal))
        except BusyError:
            return problem(503, "too many reviews wait already")
        except ClientDisconnect:
            return problem(400, "the request ended early")
        except TooLargeError:
            return problem(400, "the body is larger than any review")
        except BadReview as bad:
            return problem(400, str(bad))
        except (ValueError, RecursionError):
            return problem(400, "the body is not JSON")
        except (LookupError, TypeError, AttributeError) as bad:
            # No API server sends such an object, but anybody in the cluster can.
            frame = extract_tb(bad.__traceback__)[-1]
            self.intake.log.warn(
                "a review could not be read",
                review=kind,
                why=repr(bad)[:200],
                place=f"{frame.name}:{frame.lineno}",
            )
            return problem(400, "the object in the review is not one of its kind")
        response = document["response"]
        self.metrics.reviews.labels(kind, "allowed" if response["allowed"] else "denied").inc()
        if not response["allowed"]:
            _log.info("refused", review=kind, message=response["status"]["message"])
        return JSONResponse(document)

    async def stream(self, request: Request) -> Response:
        """The bundle of a Database now and at each change, one JSON document a line; a blank line every 15 seconds."""
        if self.policies.lacking:
            return problem(503, f"not ready: waiting for {', '.join(self.policies.lacking)}")
        namespace, database = request.path_params["namespace"], request.path_params["database"]
        try:
            caller = await caller_of(request, self.tokens)
            if caller.namespace != namespace:
                raise CallerError(403, f"a pod of {caller.namespace} can't read policies of {namespace}")
            await self.gated.refuse_others(caller, database)
        except CallerError as refusal:
            return problem(refusal.status, str(refusal))
        topic = self.policies.topic(namespace, database)
        if topic is None:
            # Of one that is there and not valid, nobody knows what it would be.
            absent = database not in self.policies.databases(namespace)
            words = f"there is no usable Database {database} in {namespace}"
            return JSONResponse({"error": words, "absent": absent}, status_code=404)
        _log.info("following", pod=f"{namespace}/{caller.name}", database=database)
        listener = Listener()
        lines = self._lines(caller, (namespace, database), topic, _seconds_left(bearer(request)), listener)
        return LastingResponse(lines, listener, "application/x-ndjson")

    async def _lines(
        self, caller: Pod, key: Key, topic: Topic, seconds: float, listener: Listener
    ) -> AsyncGenerator[bytes]:
        """For so long: whoever goes on listening has to show that the pod is still there."""
        end = time.monotonic() + seconds
        with self.metrics.streams.track_inprogress(), self.reports.following(caller, key):
            yield topic.line
            while not self.stopping.is_set() and (left := end - time.monotonic()) > 0:
                if not await listener.wait(min(HEARTBEAT_SECONDS, left), topic.changed, self.stopping):
                    return
                if topic.changed.is_set():
                    topic = self.policies.latest(key)
                    yield topic.line
                elif not self.stopping.is_set():
                    yield b"\n"


class Secured:
    """What is served over TLS. Streams go past the framework, whose every layer would stay for as long as they do."""

    def __init__(self, control: Control, asker: AccessAsker) -> None:
        self._rest = _rest(control, asker)
        self._streams = Lasting(control.stream)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        match scope["path"].split("/") if scope["type"] == "http" and scope["method"] == "GET" else ():
            case ["", "v1", "policies", str(namespace), str(database)] if namespace and database:
                scope["path_params"] = {"namespace": namespace, "database": database}
                return self._streams(scope, receive, send)
        return self._rest(scope, receive, send)


def _rest(control: Control, asker: AccessAsker) -> Starlette:
    asked = Asked(control.holder, control.tokens, control.gated, control.metrics, control.stopping)
    app = Starlette(
        routes=[
            Route(
                "/v1/streams/{owner}/access/requests",
                AskedAccess(asker, control.tokens, control.gated).post,
                methods=["POST"],
            ),
            Route("/v1/streams/{owner}/requests", asked.post, methods=["POST"]),
            Route("/v1/streams/{owner}/requests/{name}", asked.get, methods=["GET"]),
            Route("/healthz", _healthz, methods=["GET"]),
            Route("/mutate", control.mutate, methods=["POST"]),
            Route(LABELLED, control.mutate, methods=["POST"]),
            Route("/guard", control.guard, methods=["POST"]),
            Route("/advise", control.advise, methods=["POST"]),
            Route("/validate", control.validate, methods=["POST"]),
            Route("/v1/gates/{database}", control.reporting.post, methods=["POST"]),
            Route("/v1/gates", control.reporting.get, methods=["GET"]),
        ]
    )
    # Where these lead would be the Host header's to say.
    app.router.redirect_slashes = False
    return app


async def _healthz(_: Request) -> Response:
    """For those who want to know whether they trust our certificate."""
    return PlainTextResponse("ok\n")


def _seconds_left(token: str) -> float:
    """How long the token is good for by itself; no shorter than a clock that is wrong should make it."""
    found = claims(token)
    return max(SHORTEST_STREAM_SECONDS, (found.expires if found else 0.0) - time.time())
