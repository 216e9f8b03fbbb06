"""Gates that report (`POST /v1/gates/{database}`), and the operator that reads what they said (`GET /v1/gates`).

A pod reports of a Database that its gate is for, and for itself alone. What doesn't belong: what is kept
(`gate_reports.py`).
"""

from __future__ import annotations

import re

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from penstock_core.gate_report import MOST_BODY_BYTES, GateReport
from penstock_operator.control.callers import CallerError, TooLargeError, body_of, caller_of, problem
from penstock_operator.control.gate_reports import GateReports
from penstock_operator.control.gated_databases import GatedDatabases
from penstock_operator.control.lost_events import LostEvents
from penstock_operator.control.policies import Policies
from penstock_operator.control.tokens import Tokens

_NUMBER = re.compile("[0-9]{1,18}")


class Reporting:
    """Both calls."""

    def __init__(
        self,
        reports: GateReports,
        policies: Policies,
        tokens: Tokens,
        gated: GatedDatabases,
        reader: tuple[str, str],
        lost: LostEvents | None = None,
    ) -> None:
        """`reader`: namespace and service account of who may read what all gates said; `lost`: who is told of events
        that went with their pod.
        """
        self._lost = lost
        self._reports = reports
        self._policies = policies
        self._tokens = tokens
        self._gated = gated
        self._reader = reader

    async def post(self, request: Request) -> Response:
        """A GateReport, of the pod that the token is of."""
        database = request.path_params["database"]
        try:
            pod = await caller_of(request, self._tokens)
            await self._gated.refuse_others(pod, database)
            body = await body_of(request, MOST_BODY_BYTES)
            report = GateReport.read(body)
        except TooLargeError:
            return problem(413, f"a report is at most {MOST_BODY_BYTES} bytes")
        except ClientDisconnect:
            return problem(400, "the request ended early")
        except CallerError as refusal:
            return problem(refusal.status, str(refusal))
        except ValueError as error:
            return problem(400, str(error))
        if database not in self._policies.databases(pod.namespace):
            return problem(404, f"there is no Database {database} in {pod.namespace}")
        self._reports.received(pod, database, report, len(body))
        if report.lost and self._lost is not None:
            await self._lost.tell(pod, database, self._policies.uid(pod.namespace, database), report.lost)
        return Response(status_code=204)

    async def get(self, request: Request) -> Response:
        """What was said after `?after=`, for who read the `?instance=` before."""
        after = request.query_params.get("after", "0")
        if not _NUMBER.fullmatch(after):
            return problem(400, "after is a number")
        try:
            caller = await caller_of(request, self._tokens)
        except CallerError as refusal:
            return problem(refusal.status, str(refusal))
        if (caller.namespace, caller.service_account) != self._reader:
            return problem(403, "what all gates said is for the operator alone")
        told = self._reports.told(request.query_params.get("instance", ""), int(after))
        return JSONResponse(told, headers={"Cache-Control": "no-store"})
