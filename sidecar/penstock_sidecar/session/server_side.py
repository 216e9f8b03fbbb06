"""What becomes of each message from the server while a session runs: forwarded, replaced, reduced or swallowed.

Rows and COPY data are never looked at. What the client sends is `client_side.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable

from penstock_sidecar.session import completions, refusals, server_errors
from penstock_sidecar.session.commands import Close
from penstock_sidecar.session.counted_answers import CountedAnswers
from penstock_sidecar.session.delivered_rows import DeliveredRows
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.in_flight import AnswerKind, Pending, forget_what_copy_ignores
from penstock_sidecar.session.outgoing import MOST_UNSEEN
from penstock_sidecar.session.states import State
from penstock_sidecar.session.transactions import CONTROL
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import FROM_SERVER, FROM_SERVER_BY_ROW, BrokenStreamError, Scanner, Spot
from penstock_sidecar.wire.messages import ErrorFields

# Verbs of what may end a transaction or fires deferred constraints: SET CONSTRAINTS is a `set`.
_COMMITTING = CONTROL | {"set", "call", "do"}
# What moves over rows returns none.
_PASSED_OVER = b"MOVE "
# Of a name that the catalog knows: it was changed behind the gate.
_UNKNOWN_NAMES = frozenset({"42703", "42P01", "42883", "42704", "3F000"})
_CARRIED_OUT = frozenset({AnswerKind.QUERY, AnswerKind.EXECUTE})
_EXTENDED = frozenset({AnswerKind.PARSE, AnswerKind.BIND, AnswerKind.DESCRIBE, AnswerKind.EXECUTE, AnswerKind.CLOSE})


class ServerSide:
    """The direction from server to client."""

    def __init__(self, flow: Flow, nobody: str) -> None:
        # No portal has this name.
        self._flow, self._nobody = flow, nobody
        self._counted, self._scanner = CountedAnswers(flow, nobody), Scanner(FROM_SERVER)
        self._chunk = b""
        self._passed = 0
        self.delivered = DeliveredRows(self._scanner)
        self._held: list[bytes] = []
        # A FATAL error went to the client.
        self.said_fatal = False
        # What to tell the client before closing, once nothing is in flight.
        self.farewell: ErrorFields | None = None
        self._handlers: dict[int, Callable[[Spot], bytes | None]] = {
            ord("Z"): self._ready, ord("C"): self._complete, ord("E"): self._error, ord("N"): self._notice,
            ord("S"): self._parameter, ord("1"): self._parsed, ord("2"): self._bound, ord("3"): self._closed,
            ord("T"): self._described, ord("n"): self._described, ord("s"): self._executed, ord("I"): self._executed,
            ord("D"): self._row, ord("G"): self._copy_in, ord("H"): self._copy_out, ord("W"): self._copy_out,
            ord("A"): self._notification, ord("t"): self._untouched,
        }  # fmt: skip

    @property
    def between_messages(self) -> bool:
        """Whether an error of ours can be put into the stream."""
        return not self._scanner.inside

    @property
    def holding(self) -> bool:
        """Whether it may not send more for now."""
        return bool(self._held) or self._flow.unseen_size > MOST_UNSEEN

    def receive(self, data: bytes) -> None:
        """Bytes from the server, at any time. Raises BrokenStreamError."""
        flow = self._flow
        if self._held or flow.doubted:
            self._held.append(data)
            return
        chunk, spots = self._scan(data)
        self._chunk = chunk
        out = flow.to_client
        start = 0
        for spot in spots:
            withheld = flow.withheld
            answer = self._handlers[spot.kind](spot)
            if withheld is not None:
                if spot.kind == ord("Z"):
                    flow.withheld_up_to -= 1
                    flow.withheld = withheld if flow.withheld_up_to else None
                    out += (messages.error_response(withheld), chunk[spot.start : spot.end])
                start = spot.end
            elif answer is not None:
                if spot.start > start:
                    out.append(chunk[start : spot.start])
                if answer:
                    out.append(answer)
                start = spot.end
                if not spot.complete:
                    self._scanner.drop_rest()
        self._passed += len(chunk)
        self.delivered.chunk_ended(len(chunk))
        if start < len(chunk) and flow.withheld is None:
            out.append(chunk if start == 0 else chunk[start:])
        self._chunk = b""
        if self.farewell is not None:
            self.part()

    def _scan(self, data: bytes) -> tuple[bytes, list[Spot]]:
        flow = self._flow
        if flow.withholds and not flow.unseen_size:
            flow.unseen_from_message = not self._scanner.inside
        by_row = (flow.counted is not None and flow.counted.by_row) or flow.asked is not None
        if by_row or flow.contexts.echo is not None:
            self._scanner.look_by(FROM_SERVER_BY_ROW)
        return self._scanner.scan(data)

    def release(self) -> None:
        """Go on with what was held, as far as it may go by now. Raises as `receive`."""
        held, self._held = self._held, []
        while held and not self._flow.doubted:
            self.receive(held.pop(0))
        self._held = held

    def part(self) -> None:
        """Say farewell and close, if nothing is in flight."""
        flow = self._flow
        if self.farewell is None or flow.queue or flow.skipping or flow.status != b"I" or self._held or flow.withholds:
            return
        if not self.between_messages or flow.state is not State.RUNNING:
            return
        if flow.evidence is not None:
            flow.evidence.ended_by(self.farewell)
        flow.to_server.append(messages.TERMINATE)
        flow.to_client.append(messages.error_response(self.farewell))
        flow.commands.append(Close(""))
        flow.enter(State.CLOSED)

    # The messages.

    def _head(self, kind: AnswerKind, spot: Spot) -> Pending:
        """Take off the head, which must be of that kind."""
        queue = self._flow.queue
        if not queue or queue[0].kind is not kind:
            raise BrokenStreamError(f"the server answered {chr(spot.kind)!r} where none is due")
        if queue[0].denial is not None:
            raise BrokenStreamError("the server accepted what stands for a refused statement, and has to fail")
        return self._flow.pop()

    def _size(self, end: int) -> int:
        """Bytes of the stream since the last statement ended."""
        here = self._passed + end
        size = here - self._flow.boundary
        self._flow.boundary = here
        return size

    def _ready(self, spot: Spot) -> bytes | None:
        flow = self._flow
        flow.status = self._chunk[spot.start + 5 : spot.start + 6]
        flow.copying_in = False
        queue, answer = flow.queue, None
        # Without such a head: a Sync that we thought the server ignores while it takes COPY data.
        if queue and queue[0].kind in (AnswerKind.QUERY, AnswerKind.SYNC):
            head = flow.pop()
            if head.kind is AnswerKind.SYNC:
                flow.unsynced = False
                answer = b"" if head.swallow else None
            running = head.running
            if running is not None:
                flow.finish(running, "error" if running.sqlstate else "ok", self._size(spot.end))
            else:
                flow.boundary = self._passed + spot.end
        flow.transactions.ready(flow.status)
        if flow.transactions.ended:
            flow.record_ends()
        flow.in_block = flow.status != b"I"
        flow.path.ready(flow.status, flow.undone)
        if not flow.in_block:
            flow.transaction_ended()
        flow.undone = False
        if flow.status == b"I" and not queue:
            flow.sql_prepared.transaction_ended()
        if flow.altered and flow.status == b"I" and all(pending.kind is AnswerKind.CLOSE for pending in queue):
            flow.altered = False
        if not queue:
            # A Query amid what a Sync is to end leaves that as it is, and is answered like one in a block.
            flow.unsure, flow.recalled = flow.unsynced, False
        return answer

    def _complete(self, spot: Spot) -> bytes | None:
        flow = self._flow
        queue = flow.queue
        if not queue:
            raise BrokenStreamError("the server completed a statement that nobody sent")
        head = queue[0]
        if head.swallow:
            # To something that the client did not send.
            flow.pop()
            return b""
        tag = self._chunk[spot.start + 5 : max(spot.start + 5, spot.end - 1)]
        answer = None
        counted = flow.counted is not None and head is flow.counted.pending
        if counted and flow.counted is not None:
            tag = flow.counted.completed(tag)
            answer = messages.message(b"C", tag + b"\x00")
        running = head.running
        flow.undone, flow.contexts.echo = tag == b"ROLLBACK", None
        count = tag.rpartition(b" ")[2]
        if not count.isdigit():
            if running is not None:
                # SHOW, EXPLAIN and CALL have rows, and no number in their tags.
                running.rows += self.delivered.up_to(spot.start)
            completions.note(flow, tag, head)
        elif running is not None and not tag.startswith(_PASSED_OVER):
            running.rows += int(count)
        self.delivered.next_from(spot.end)
        if head.kind is AnswerKind.EXECUTE:
            flow.pop()
            flow.copying_in = False
            if counted and answer is not None and flow.counted is not None and flow.counted.changes is not None:
                return self._counted.hold(answer, self._size(spot.end))
            if running is not None:
                flow.finish(running, "ok", self._size(spot.end))
        elif running is not None and running.following:
            # Several statements of one Query.
            head.running = running.next(flow.clock())
            flow.finish(running, "ok", self._size(spot.end))
        return answer

    def _error(self, spot: Spot) -> bytes | None:
        flow = self._flow
        fields = messages.read_error(self._chunk[spot.start + 5 : spot.end])
        head = flow.queue[0] if flow.queue else None
        answer: bytes | None = None
        told = fields.sqlstate
        if head is not None and head.denial is not None and fields.sqlstate == head.expected:
            answer = messages.error_response(head.denial)
            told = head.denial.sqlstate
        elif flow.recalled and fields.sqlstate == "57014":
            answer = messages.error_response(refusals.RECALLED)
            told = refusals.RECALLED.sqlstate
        elif self._withholds(head):
            answer = messages.error_response(self._readable(fields, head))
        flow.undone, flow.contexts.echo = True, None
        if fields.severity in ("FATAL", "PANIC"):
            self.said_fatal = True
        if head is None:
            return answer
        if head.running is not None and head.kind in _CARRIED_OUT:
            head.running.rows += self.delivered.up_to(spot.start)
        self.delivered.next_from(spot.end)
        if head.denial is None and flow.rules.masked and fields.sqlstate in _UNKNOWN_NAMES:
            flow.doubtful = True
        if head.kind in _EXTENDED:
            flow.fail(told, self._size(spot.end))
        elif head.running is not None:
            head.running.sqlstate = told
            flow.copying_in = False
        else:
            flow.transactions.failed(told)
        return answer

    def _notice(self, spot: Spot) -> bytes | None:
        queue = self._flow.queue
        if queue and self._mixed(queue[0]):
            # How many come before an error, and in which order, would tell as much.
            return b""
        if queue and self._withholds(queue[0]):
            fields = messages.read_error(self._chunk[spot.start + 5 : spot.end])
            return messages.notice_response(self._readable(fields, queue[0]))
        return None

    def _notification(self, spot: Spot) -> bytes | None:
        """What was sent to a channel; a session may have begun to listen by another policy, or by code of its own."""
        # Behind the number of the process that sent it.
        channel = self._chunk[spot.start + 5 : spot.end][4:].partition(b"\x00")[0]
        return None if self._flow.rules.decider.hears(channel.decode(errors="replace")) else b""

    def _withholds(self, head: Pending | None) -> bool:
        """Whether what the server says now may be about governed data: the head's, or what waited for the commit.

        Deferred constraints fire at COMMIT and SET CONSTRAINTS, and at the end of a Query or at a Sync where no
        transaction block is open. Not so what else runs in a transaction after a governed statement.
        """
        flow = self._flow
        if head is None:
            return flow.left_for_commit
        if head.redact or not flow.left_for_commit:
            return head.redact
        if head.kind in (AnswerKind.SYNC, AnswerKind.COPY_END) or (head.kind is AnswerKind.QUERY and not flow.in_block):
            return True
        decision = head.decision
        if head.kind not in (AnswerKind.QUERY, AnswerKind.EXECUTE):
            return False
        return decision is None or not _COMMITTING.isdisjoint(decision.verbs) or decision.observed is not None

    def _readable(self, fields: ErrorFields, head: Pending | None) -> ErrorFields:
        names = self._flow.rules.decider.names
        if head is None:
            return server_errors.readable(fields, "", None, names, self._flow.mixed_for_commit)
        return server_errors.readable(fields, head.text, head.decision, names, self._mixed(head))

    def _mixed(self, head: Pending) -> str:
        """The SQLSTATE of all errors that rows make; also where what waited for the commit may be checked now."""
        flow, decision = self._flow, head.decision
        if head.mixed or not flow.mixed_for_commit:
            return head.mixed
        commits = head.kind is not AnswerKind.EXECUTE and not (head.kind is AnswerKind.QUERY and flow.in_block)
        if not commits and decision is not None:
            commits = not _COMMITTING.isdisjoint(decision.verbs)
        return flow.mixed_for_commit if commits else ""

    def _parameter(self, spot: Spot) -> bytes | None:
        body = self._chunk[spot.start + 5 : spot.end]
        if body.startswith(b"search_path\x00") and spot.complete:
            self._flow.path.report(body[12:].removesuffix(b"\x00").decode(errors="replace"))
        return None

    def _parsed(self, spot: Spot) -> bytes | None:
        head = self._head(AnswerKind.PARSE, spot)
        if head.makes is not None:
            head.makes.replaced = None
        for running in (head.running, head.drops):
            if running is not None:
                self._flow.finish(running, "unexecuted")
        return b"" if head.swallow else None

    def _closed(self, spot: Spot) -> bytes | None:
        head = self._head(AnswerKind.CLOSE, spot)
        if head.drops is not None:
            self._flow.finish(head.drops, "unexecuted")
        if head.swallow:
            return self._counted.closed(head) or b""
        return None

    def _bound(self, spot: Spot) -> bytes | None:
        head = self._head(AnswerKind.BIND, spot)
        if head.drops is not None:
            self._flow.finish(head.drops, "unexecuted")
        if head.opens is not None:
            head.opens.open = True
        return b"" if head.swallow else None

    def _described(self, spot: Spot) -> bytes | None:
        queue = self._flow.queue
        if queue and queue[0].kind is AnswerKind.DESCRIBE:
            head = self._flow.pop()
            if head.running is not None:
                self._flow.finish(head.running, "unexecuted")
            # To a Query, that there are no rows is not said.
            return b"" if head.swallow and spot.kind == ord("n") else None
        return None

    def _row(self, spot: Spot) -> bytes | None:
        """Looked at only while one may come that goes no further, or with something else in it."""
        queue, contexts = self._flow.queue, self._flow.contexts
        if contexts.echo is not None:
            echo, contexts.echo = contexts.echo, None
            self.hop_rows()
            return echo
        body = self._chunk[spot.start + 5 : spot.end]
        answer = self._counted.row(queue[0] if queue else None, body, complete=spot.complete)
        if answer is None:
            self.delivered.before += 1
        return answer

    def hop_rows(self) -> None:
        """Rows need no look any more."""
        self._scanner.look_by(FROM_SERVER)

    def _executed(self, spot: Spot) -> bytes | None:
        """PortalSuspended or EmptyQueryResponse: the end of an Execute; within a Query it ends nothing."""
        flow = self._flow
        self.delivered.next_from(spot.end)
        if flow.queue and flow.queue[0].kind is AnswerKind.EXECUTE:
            counted, suspended = flow.counted, spot.kind == ord("s")
            if suspended and counted is not None and flow.queue[0] is counted.pending:
                asks = counted.suspended(self._nobody)
                if asks:
                    flow.to_server.append(asks)
                    return b""
                flow.pop()
                answer = self._chunk[spot.start : spot.end]
                if counted.changes is not None:
                    return self._counted.hold(answer, self._size(spot.end))
                if counted.pending.running is not None:
                    flow.finish(counted.pending.running, "ok", self._size(spot.end))
                return None
            head = flow.pop()
            if head.running is not None:
                if suspended:
                    # It stops at as many rows as were asked for, and does not say how many that were.
                    head.running.rows += head.asked
                flow.finish(head.running, "ok", self._size(spot.end))
        return None

    def _copy_in(self, spot: Spot) -> bytes | None:
        """From here to the client's CopyDone or CopyFail the server ignores Syncs."""
        flow = self._flow
        if flow.counted is not None and flow.counted.limit is not None:
            self._no_copying_of_counted(spot)
        if not flow.queue:
            raise BrokenStreamError("the server asked for COPY data that nobody offered")
        flow.copying_in = forget_what_copy_ignores(flow.queue)
        return None

    def _copy_out(self, spot: Spot) -> bytes | None:
        if self._flow.counted is not None and self._flow.counted.limit is not None:
            self._no_copying_of_counted(spot)
        return None

    def _no_copying_of_counted(self, spot: Spot) -> None:
        counted, queue = self._flow.counted, self._flow.queue
        if counted is not None and queue and queue[0] is counted.pending:
            raise BrokenStreamError("the server began to COPY where rows are due")

    def _untouched(self, spot: Spot) -> bytes | None:
        return None
