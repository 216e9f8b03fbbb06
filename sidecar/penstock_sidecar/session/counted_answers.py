"""What the server answers to a statement that is counted: rows that go no further, an end that waits.

What is counted, and by which limits, is `counting.py`'s; all other answers are `server_side.py`'s.
"""

from __future__ import annotations

from penstock_core.sql.decision import Decision, Denial
from penstock_sidecar.session import measuring, pricing, refusals
from penstock_sidecar.session.counting import Counted
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.in_flight import AnswerKind, Pending
from penstock_sidecar.session.withholding import still_holds
from penstock_sidecar.wire import messages


class CountedAnswers:
    """The part of the direction from server to client that is about `flow.counted`."""

    def __init__(self, flow: Flow, nobody: str) -> None:
        self._flow = flow
        # No portal has this name.
        self._nobody = nobody

    def row(self, head: Pending | None, body: bytes, *, complete: bool) -> bytes | None:
        """A row, or the beginning of one that is too large to be looked at."""
        counted, asked = self._flow.counted, self._flow.asked
        if asked is not None and head is not None and asked.owns(head):
            asked.note(head, body, complete=complete)
            return b""
        if counted is None or head is None:
            return None
        if counted.asked_for(head):
            counted.note(body, complete=complete)
            return b""
        return b"" if counted.probing and head is counted.pending else None

    def hold(self, answer: bytes, size: int) -> bytes:
        """The statement has ended, and may have changed too much: its end waits until that is known."""
        flow, counted = self._flow, self._flow.counted
        if counted is None or counted.changes is None:
            return answer
        counted.held, counted.size = answer, size
        sent, due = measuring.asking(self._nobody)
        # Its outcome is still due.
        due[-1].running, due[-1].decision = counted.pending.running, counted.pending.decision
        counted.await_answers(due)
        flow.queue.extend(due)
        flow.to_server.append(sent + messages.FLUSH)
        return b""

    def closed(self, head: Pending) -> bytes | None:
        """What was asked for is answered to its end: what the client gets if that was the last of it."""
        flow, counted = self._flow, self._flow.counted
        if counted is None or head is not counted.due:
            return None
        running, decision = head.running, head.decision
        if counted.cost is not None and decision is not None:
            if counted.epoch != flow.epoch and not still_holds(flow, counted.pending, decision):
                # However long the planner took: it goes by the rules of now, as if it had come just now.
                counted.due, counted.outdated = None, True
                return b""
            denial = pricing.excess(counted.cost, counted.estimate, masked=decision.redact_errors)
            if denial is not None:
                return self._fail(counted, head, denial)
            if counted.portal is not None:
                counted.portal.priced = counted.cost
            counted.cost = None
            flow.to_server.append(begin(flow, counted, decision, self._nobody))
            return b""
        denial = counted.excess()
        if denial is not None:
            return self._fail(counted, head, denial)
        if running is not None:
            flow.finish(running, "ok", counted.size)
        return counted.held

    def _fail(self, counted: Counted, head: Pending, denial: Denial) -> bytes:
        """Send what must fail in the next place."""
        running = head.running
        if running is not None:
            running.denied, running.refused = True, denial
        failing = Pending(AnswerKind.EXECUTE, refusals.denied(denial), refusals.UNDEFINED_PORTAL, running=running)
        failing.decision = head.decision
        counted.held, counted.due = b"", failing
        self._flow.queue.append(failing)
        self._flow.to_server.append(messages.execute(self._nobody) + messages.FLUSH)
        return b""


def begin(flow: Flow, counted: Counted, decision: Decision, nobody: str) -> bytes:
    """What runs the statement, in its portal."""
    counted.due, sent = None, b""
    if counted.changes is not None:
        sent, due = measuring.asking(nobody)
        counted.asked_besides += due
        flow.queue.extend(due)
    flow.push(counted.pending, decision)
    return sent + counted.start()
