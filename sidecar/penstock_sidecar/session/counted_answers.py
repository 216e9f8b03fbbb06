"""What the server answers to a statement that is counted: rows that go no further, an end that waits.

What is counted, and by which limits, is `counting.py`'s; all other answers are `server_side.py`'s.
"""

from __future__ import annotations

from penstock_sidecar.session import measuring, refusals
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.in_flight import AnswerKind, Pending
from penstock_sidecar.wire import messages


class CountedAnswers:
    """The part of the direction from server to client that is about `flow.counted`."""

    def __init__(self, flow: Flow, nobody: str) -> None:
        self._flow = flow
        # No portal has this name.
        self._nobody = nobody

    def row(self, head: Pending | None, body: bytes | None) -> bytes | None:
        """A row; of one that is too large to be looked at, there is no body."""
        counted = self._flow.counted
        if counted is None or head is None:
            return None
        if counted.asked_for(head):
            counted.note(body)
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
        if counted is None or head is not counted.due or not counted.held:
            return None
        running, denial = head.running, counted.excess()
        if denial is None:
            if running is not None:
                flow.finish(running, "ok", counted.size)
            return counted.held
        if running is not None:
            running.denied, running.refused = True, denial
        failing = Pending(AnswerKind.EXECUTE, refusals.denied(denial), refusals.UNDEFINED_PORTAL, running=running)
        failing.decision = head.decision
        counted.held, counted.due = b"", failing
        flow.queue.append(failing)
        flow.to_server.append(messages.execute(self._nobody) + messages.FLUSH)
        return b""
