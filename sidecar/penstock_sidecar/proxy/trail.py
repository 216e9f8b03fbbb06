"""The audit trail as sessions see it: appending, why nothing can be appended, and owning up to what was lost.

Storing and shipping events is `penstock_sidecar.shipping`'s.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from penstock_core.audit.event import Event
from penstock_sidecar.proxy.refused_logins import RefusedLogins
from penstock_sidecar.shipping.spool import Append, Spool, SpoolBroken, SpoolError, Told

# How long losses are counted before they are told of.
_LOSS_SECONDS = 1.0
# How long, and how many, bodies are gathered that nobody waits for.
_GATHER_SECONDS = 0.01
_MOST_GATHERED = 500
# Sessions of which something is told late; more are not kept in memory.
_MOST_POSTPONED = 10_000
# These tell how a session began and ended, and by which policies statements were decided.
_TOLD_LATE = frozenset({"login", "session", "policy"})
# These tell how statements that are on record ended, and their transactions.
_ENDS = frozenset({"outcome", "transaction"})


@dataclass(slots=True)
class _Gathered:
    """Bodies that are recorded together or not at all, and who is told of it."""

    bodies: list[Event]
    told: Told | None = None


class AuditTrail:
    """One proxy's stream of events."""

    def __init__(self, spool: Spool, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._spool = spool
        self._now = now
        self._loss_count = 0
        self._loss_began = ""
        self._loss_cause = ""
        self._timer: asyncio.TimerHandle | None = None
        self._gathered: list[_Gathered] = []
        self._count = 0
        # By session.
        self._postponed: dict[object, list[Event]] = {}
        self.refused_logins = RefusedLogins(self._gather, self._has_room, now)
        self._flushing: asyncio.Handle | None = None
        self._urgent = False
        self.accepted_logins = 0
        # Intents by database and decision, and statements that ran unrecorded, for the metrics.
        self.decisions: Counter[tuple[str, str]] = Counter()
        self.lost_statements = 0

    @property
    def refusal(self) -> str:
        """Why nothing can be recorded right now; empty while it can."""
        refusal = self._spool.refusal
        return "" if refusal is None else str(refusal)

    def append(self, bodies: list[Event]) -> None:
        """Record bodies soon; an intent that can't be recorded is counted as a loss.

        Nobody waits for them, so they are gathered for a moment: each append on its own would cost a wake-up of the
        spool's thread and, with few clients, a transaction.
        """
        if bodies and bodies[0]["kind"] == "login":
            if bodies[0]["outcome"] == "refused":
                self.refused_logins.add(bodies[0])
                bodies = bodies[1:]
            else:
                self.accepted_logins += 1
        if bodies:
            self._gather(bodies)

    def _gather(self, bodies: list[Event]) -> None:
        if self._postponed:
            bodies = self._with_logins(bodies)
            # In their order: an end after its beginning, a transaction's after those of its statements.
            self._postpone([body for body in bodies if self._comes_late(body)])
            bodies = [body for body in bodies if not self._comes_late(body)]
        bodies = self._counted(bodies)
        gathered = self._gathered
        if gathered and gathered[-1].told is None:
            gathered[-1].bodies += bodies
        else:
            gathered.append(_Gathered(bodies))
        self._count += len(bodies)
        if self._count >= _MOST_GATHERED:
            self.flush()
        elif self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(_GATHER_SECONDS, self.flush)

    def append_durably(self, bodies: list[Event], told: Told) -> None:
        """Record bodies now, after all before them; `told` is called once they are durable, or can't be recorded.

        What other sessions bring in the same turn of the event loop goes with them.
        """
        if self._postponed:
            bodies = self._with_logins(bodies)
        self._gathered.append(_Gathered(self._counted(bodies), told))
        if not self._urgent:
            self._urgent = True
            if self._flushing is not None:
                self._flushing.cancel()
            self._flushing = asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Hand over what was gathered."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        self._urgent, self._count = False, 0
        if not self._gathered:
            return
        gathered, self._gathered = self._gathered, []
        self._hand_over(gathered)

    def _hand_over(self, gathered: Sequence[_Gathered]) -> None:
        self._spool.append_each(
            [Append(one.bodies, partial(self._settled, one), one.told is not None) for one in gathered]
        )

    def _counted(self, bodies: list[Event]) -> list[Event]:
        for body in bodies:
            if body["kind"] == "intent":
                self.decisions[body["database"], body["decision"]] += 1
        return bodies

    def close(self) -> None:
        """Record all that is left, as well as it goes."""
        self.refused_logins.tell(last=True)
        self.catch_up()

    def _settled(self, one: _Gathered, error: SpoolError | None) -> None:
        if error is not None:
            self._failed(error, one.bodies, block=one.told is not None)
        if one.told is not None:
            one.told(error)

    def _failed(self, error: SpoolError, bodies: Sequence[Event], *, block: bool) -> None:
        intents = [body for body in bodies if body["kind"] == "intent"]
        if not isinstance(error, SpoolBroken):
            ends = [body for body in bodies if body["kind"] == "outcome" or (not intents and body["kind"] in _ENDS)]
            if ends and len(ends) < len(bodies):
                # They went with something that was refused; where their intents are on record, there is room for them.
                self._hand_over([_Gathered(ends)])
            else:
                # Unless the disk itself is full.
                self._postpone(ends)
            self._postpone([body for body in bodies if body["kind"] in _TOLD_LATE])
        if not block and intents:
            self._count_loss(len(intents), str(error))

    def _postpone(self, bodies: list[Event]) -> None:
        """That a session began or ended, or a statement, is told late rather than never."""
        for body in bodies:
            if len(self._postponed) < _MOST_POSTPONED or body.get("session") in self._postponed:
                self._postponed.setdefault(body.get("session"), []).append(body)
        if self._postponed and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOSS_SECONDS, self.catch_up)

    def _with_logins(self, bodies: list[Event]) -> list[Event]:
        """With the statements' bodies go the logins of their sessions, where these wait: no statement is on record
        without who logged in for it.
        """
        late: list[Event] = []
        for body in bodies:
            if body["kind"] == "intent":
                late += self._postponed.pop(body["session"], [])
        return [*late, *bodies]

    def _comes_late(self, body: Event) -> bool:
        return body["kind"] in ("session", "transaction") and body["session"] in self._postponed

    def _has_room(self) -> bool:
        """Whether refused logins may take some of the spool: what statements need comes first."""
        return not self.refusal and self._spool.bytes < self._spool.max_bytes // 2

    def _count_loss(self, count: int, cause: str) -> None:
        self.lost_statements += count
        if not self._loss_count:
            self._loss_began = _stamp(self._now())
        self._loss_count += count
        self._loss_cause = cause
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOSS_SECONDS, self.catch_up)

    def catch_up(self) -> None:
        """Record what could not be recorded before, and how many statements ran unrecorded."""
        postponed, self._postponed = [body for bodies in self._postponed.values() for body in bodies], {}
        # For ends, room is kept free, in which nothing else goes with them.
        for late in (
            [body for body in postponed if body["kind"] in _ENDS],
            [body for body in postponed if body["kind"] not in _ENDS],
        ):
            if late:
                self._hand_over([_Gathered(late)])
        self.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._loss_count:
            return
        count, self._loss_count = self._loss_count, 0
        began, cause = self._loss_began, self._loss_cause
        body = {
            "kind": "loss", "count": count, "fromTime": began, "toTime": _stamp(self._now()), "cause": cause,
        }  # fmt: skip

        def settled(error: SpoolError | None) -> None:
            if error is not None:
                self._loss_count += count
                self._loss_began, self._loss_cause = began, cause
                if self._timer is None and not isinstance(error, SpoolBroken):
                    self._timer = asyncio.get_running_loop().call_later(_LOSS_SECONDS, self.catch_up)

        self._spool.append_each([Append([body], settled)])


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
