"""Carrying out what an agent asks: one method for each tool, from its arguments to its result.

What doesn't belong: the words of results (`tools/`), the protocol (`serving/`), connections (`gate/`).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from penstock_agents.gate.credentials import CredentialError
from penstock_agents.gate.outcomes import Ending, Outcome, Trouble
from penstock_agents.gate.requests import Requests, RequestsError
from penstock_agents.gate.session import GateSession
from penstock_agents.gate.wire import Room
from penstock_agents.tools import catalog, words
from penstock_agents.tools.answers import failed_answer, rows_answer
from penstock_agents.tools.catalog import Decided
from penstock_agents.tools.limits import Limits
from penstock_agents.tools.offered import (
    DescribeTable,
    Execute,
    Explain,
    ListTables,
    Query,
    RequestStatus,
    WaitForApproval,
)
from penstock_agents.tools.results import (
    DecisionAnswer,
    Failure,
    Request,
    RequestAnswer,
    StatementAnswer,
    TableAnswer,
    TablesAnswer,
)
from penstock_agents.tools.words import Status

_MOST_REQUESTS = 200
_POLL_SECONDS = 2.0
# What is read of the catalog: as much as a model may be told of it, and no more.
_CATALOG = Room(rows=2000, bytes=1 << 20, value_bytes=1 << 20, stops=True)

Progress = Callable[[float, float, str], Awaitable[None]]


@dataclass
class Agent:
    """One agent's session: what it may ask of the gate, and the requests that it was told of."""

    session: GateSession
    limits: Limits
    requests: Requests | None = None

    def __post_init__(self) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()

    async def list_tables(self, asked: ListTables) -> TablesAnswer:
        outcome = await self._read(catalog.TABLES, (asked.table_schema,))
        if outcome.trouble is not None:
            status, failure, _ = self._failure(outcome.trouble, wrote=False)
            return TablesAnswer(status=status, failure=failure)
        found = catalog.tables(outcome.rows)
        more = len(found) > catalog.MOST_TABLES or outcome.more
        step = "There are more: ask schema by schema, with table_schema." if more else ""
        return TablesAnswer(status="done", tables=found[: catalog.MOST_TABLES], more=more, next_step=step)

    async def describe_table(self, asked: DescribeTable) -> TableAnswer:
        names = (asked.table_schema, asked.name)
        columns = await self._read(catalog.COLUMNS, names)
        told = columns if columns.trouble else await self._read(catalog.decision_about(catalog.whole(*names)))
        constraints = told if told.trouble else await self._read(catalog.CONSTRAINTS, names)
        if (trouble := columns.trouble or told.trouble or constraints.trouble) is not None:
            status, failure, _ = self._failure(trouble, wrote=False)
            return TableAnswer(status=status, failure=failure)
        if not columns.rows:
            failure = words.own_failure("there is no such table or view that you may see", "Call list_tables.")
            return TableAnswer(status="failed", failure=failure)
        decided = Decided(told.rows)
        return TableAnswer(
            status="done",
            readable=decided.allowed,
            refused=decided.reason[0],
            columns=catalog.columns(columns.rows, decided, *names),
            constraints=catalog.texts(constraints.rows),
            rows_left_out=bool(decided.values("filtered")),
        )

    async def query(self, asked: Query) -> StatementAnswer:
        rows = min(asked.max_rows or self.limits.rows, self.limits.most_rows)
        room = Room(rows, self.limits.answer_bytes, 4 * self.limits.value_characters, stops=True)
        return await self._statement(asked.sql, room, writes=False)

    async def execute(self, asked: Execute) -> StatementAnswer:
        room = Room(self.limits.rows, self.limits.answer_bytes, 4 * self.limits.value_characters, stops=False)
        return await self._statement(asked.sql, room, writes=True)

    async def explain(self, asked: Explain) -> DecisionAnswer:
        outcome = await self._read(catalog.decision_about(asked.sql))
        if outcome.trouble is not None:
            status, failure, _ = self._failure(outcome.trouble, wrote=False)
            return DecisionAnswer(status=status, failure=failure)
        decided = Decided(outcome.rows)
        reason, hint, rule = decided.reason
        return DecisionAnswer(
            status="done",
            decision="allowed" if decided.allowed else "refused",
            reason=reason,
            hint=hint,
            rule=rule,
            verbs=decided.values("verb"),
            relations=decided.values("relation"),
            masked=decided.masked,
            rows_left_out=decided.values("filtered"),
            may_be_held=decided.approvals,
            limits=decided.limits,
        )

    async def request_status(self, asked: RequestStatus) -> RequestAnswer:
        if asked.request not in self._known or self.requests is None:
            return _unknown_request()
        try:
            return _stands(await self.requests.find(asked.request))
        except RequestsError as error:
            return _not_seen(error)

    async def wait_for_approval(self, asked: WaitForApproval, progress: Progress) -> RequestAnswer:
        if asked.request not in self._known or self.requests is None:
            return _unknown_request()
        loop = asyncio.get_running_loop()
        seconds = min(asked.seconds, self.limits.wait_seconds)
        began = loop.time()
        while True:
            elsewhere = False
            try:
                found = await self.requests.find(asked.request)
                answer, elsewhere = _stands(found), found is None
            except RequestsError as error:
                # It may be there again before the time is over.
                answer = _not_seen(error)
            waited = loop.time() - began
            settled = answer.request is not None and answer.request.standing != "waiting"
            if settled or elsewhere or waited >= seconds:
                return answer
            await progress(waited, seconds, "waiting for a person to decide")
            await asyncio.sleep(min(_POLL_SECONDS, max(0.05, seconds - waited)))

    # Statements.

    async def _statement(self, sql: str, room: Room, *, writes: bool) -> StatementAnswer:
        if (wrong := _unfit(sql)) is not None:
            return failed_answer("failed", wrong)
        try:
            outcome = await (self.session.write(sql, room) if writes else self.session.read(sql, room))
        except CredentialError as error:
            return failed_answer("failed", words.own_failure(str(error), error.next_step))
        if outcome.trouble is None:
            # One row is always shown, however many columns it has.
            each = max(16, self.limits.answer_bytes // max(1, len(outcome.columns)))
            return rows_answer(
                outcome.columns, outcome.rows, min(each, self.limits.value_characters), more=outcome.more,
                affected=outcome.affected, notices=outcome.notices, writes=writes,
            )  # fmt: skip
        return failed_answer(*self._failure(outcome.trouble, wrote=writes))

    async def _read(self, sql: str, values: tuple[str, ...] = ()) -> Outcome:
        try:
            if any(_unfit(one) is not None for one in (sql, *values)):
                return Outcome(trouble=Trouble(Ending.NOT_HERE))
            return await self.session.read(sql, _CATALOG, values)
        except CredentialError as error:
            return Outcome(trouble=Trouble(Ending.NO_SESSION, str(error), hint=error.next_step))

    def _failure(self, trouble: Trouble, *, wrote: bool) -> tuple[Status, Failure, Request | None]:
        """What an agent reads of it."""
        if trouble.by_gate and (found := words.held_request(trouble.message, trouble.detail)) is not None:
            request, waits = found
            self._remember(request.name)
            if not waits:
                return "refused", _said(trouble, words.DENIED), request
            step = words.WAIT if self.requests is not None else words.ASK_AGAIN
            return "held", _said(trouble, step), request
        return _worded(trouble, wrote=wrote)

    def _remember(self, name: str) -> None:
        self._known[name] = None
        self._known.move_to_end(name)
        while len(self._known) > _MOST_REQUESTS:
            self._known.popitem(last=False)


_OWN: dict[Ending, tuple[str, str]] = {
    Ending.BUSY: ("too many calls wait for this session", words.AGAIN),
    Ending.TOO_LARGE: (
        "one value of the answer is larger than this server takes into memory", "Ask for parts of it by substring().",
    ),
    Ending.NOT_HERE: (
        "such a statement can't be run here: COPY, and what begins a transaction or leaves one open",
        "Send single statements that are whole by themselves; each call is a transaction of its own.",
    ),
    Ending.TOO_SLOW: ("the statement took too long and was given up", "Ask for less, or tell your user."),
    Ending.LOST: ("the connection to the gate was lost while the statement ran", words.AGAIN),
}  # fmt: skip


def _worded(trouble: Trouble, *, wrote: bool) -> tuple[Status, Failure, None]:
    if trouble.ending is Ending.ERROR:
        refused = trouble.by_gate and trouble.sqlstate == "42501"
        return ("refused" if refused else "failed"), _said(trouble, words.REFUSED if refused else words.CORRECT), None
    if trouble.ending is Ending.NO_SESSION:
        return "failed", _said(trouble, words.LOGIN if trouble.by_gate else words.AGAIN), None
    message, step = _OWN[trouble.ending]
    unknown = wrote and trouble.ending in (Ending.LOST, Ending.TOO_SLOW, Ending.TOO_LARGE)
    return "failed", words.own_failure(message, words.UNKNOWN if unknown else step), None


def _said(trouble: Trouble, step: str) -> Failure:
    known = trouble.ending is Ending.ERROR
    return Failure(
        said_by="the gate" if trouble.by_gate else "the database" if known else "this server",
        message=trouble.message, sqlstate=trouble.sqlstate, detail=trouble.detail, hint=trouble.hint, next_step=step,
    )  # fmt: skip


def _unfit(sql: str) -> Failure | None:
    """Why a text can't be sent to a server as it is; libpq would end it at a NUL."""
    if "\0" in sql:
        return words.own_failure("the text holds a NUL character", "Leave it out; PostgreSQL stores none.")
    try:
        sql.encode()
    except UnicodeEncodeError:
        return words.own_failure("the text holds half of a character (a lone surrogate)", "Leave it out.")
    return None


def _stands(request: Request | None) -> RequestAnswer:
    if request is None:
        return RequestAnswer(status="failed", failure=words.own_failure(words.ELSEWHERE, words.HELD_ELSEWHERE))
    steps = {"waiting": words.WAIT, "approved": words.ASK_AGAIN, "denied": words.DENIED}
    step = steps.get(request.standing, "It is good for nothing any more; run the statement again to make a new one.")
    return RequestAnswer(status="done", request=request, next_step=step)


def _unknown_request() -> RequestAnswer:
    failure = words.own_failure(
        "this session was not told of such a request",
        "Run the statement again: if it is held, the result names its request.",
    )
    return RequestAnswer(status="failed", failure=failure)


def _not_seen(error: RequestsError) -> RequestAnswer:
    failure = Failure(said_by="this server", message=str(error), next_step=words.ASK_AGAIN)
    return RequestAnswer(status="failed", failure=failure)
