"""The audit trail as sessions see it: appending, why nothing can be appended, and owning up to what was lost.

Storing and shipping events is `penstock_sidecar.shipping`'s.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from penstock_core.audit.event import Event
from penstock_sidecar.shipping.spool import Spool, SpoolBroken

# How long losses are counted before they are told of.
_LOSS_SECONDS = 1.0
# Statements whose intents were lost, so that their outcomes are left out too; beyond, outcomes without intents appear.
_MOST_LOST = 100_000


class AuditTrail:
    """One proxy's stream of events."""

    def __init__(self, spool: Spool, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._spool = spool
        self._now = now
        self._lost: set[tuple[object, object]] = set()
        self._loss_count = 0
        self._loss_began = ""
        self._loss_cause = ""
        self._timer: asyncio.TimerHandle | None = None
        # Intents by decision, and statements that ran unrecorded, for the metrics.
        self.decisions: Counter[str] = Counter()
        self.lost_statements = 0

    @property
    def refusal(self) -> str:
        """Why nothing can be recorded right now; empty while it can."""
        refusal = self._spool.refusal
        return "" if refusal is None else str(refusal)

    def append(self, bodies: list[Event], *, block: bool) -> asyncio.Future[None]:
        """Record bodies, in order. `block`: whoever asks acts on a failure; else a lost intent is counted as a loss."""
        if self._lost:
            bodies = [body for body in bodies if not self._is_orphan(body)]
        for body in bodies:
            if body["kind"] == "intent":
                self.decisions[body["decision"]] += 1
        future = self._spool.append(bodies)
        future.add_done_callback(lambda done: self._settled(done, bodies, block))
        return future

    def _settled(self, done: asyncio.Future[None], bodies: Sequence[Event], block: bool) -> None:
        if done.cancelled() or done.exception() is None:
            return
        # They went with an intent that was refused; for themselves there is room.
        endings = [body for body in bodies if body["kind"] in ("outcome", "session")]
        intents = [body for body in bodies if body["kind"] == "intent"]
        refused = {(body["session"], body["statement"]) for body in intents}
        endings = [body for body in endings if (body["session"], body.get("statement")) not in refused]
        if endings and len(endings) < len(bodies) and not isinstance(done.exception(), SpoolBroken):
            self._spool.append(endings)
        if len(self._lost) < _MOST_LOST:
            self._lost |= refused
        if not block and intents:
            self._count_loss(len(intents), str(done.exception()))

    def _is_orphan(self, body: Event) -> bool:
        key = (body.get("session"), body.get("statement"))
        if body["kind"] == "outcome" and key in self._lost:
            self._lost.discard(key)
            return True
        return False

    def _count_loss(self, count: int, cause: str) -> None:
        self.lost_statements += count
        if not self._loss_count:
            self._loss_began = _stamp(self._now())
        self._loss_count += count
        self._loss_cause = cause
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOSS_SECONDS, self.tell_losses)

    def tell_losses(self) -> None:
        """Record how many statements ran unrecorded, as soon as there is room for it."""
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

        def settled(done: asyncio.Future[None]) -> None:
            if not done.cancelled() and done.exception() is not None:
                self._loss_count += count
                self._loss_began, self._loss_cause = began, cause
                if self._timer is None and not isinstance(done.exception(), SpoolBroken):
                    self._timer = done.get_loop().call_later(_LOSS_SECONDS, self.tell_losses)

        self._spool.append([body]).add_done_callback(settled)


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
