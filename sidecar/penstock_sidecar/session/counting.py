"""One statement whose rows are limited: what is sent for it, so that the server itself stops, and what it answers.

The server is asked for as many rows as may still come, and not for all. If it stops there, it is asked for one more,
which goes no further: where there is none, the statement has ended in time; where there is one, a statement that must
fail takes the next place, so that the server's transaction is in the state that the client reads in the error.

The client's later messages wait meanwhile (`machine.py`): what was sent ahead would have run before it is known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from penstock_core.policy.effective import Limit
from penstock_core.sql.decision import Decision, Denial
from penstock_sidecar.session import refusals
from penstock_sidecar.session.in_flight import AnswerKind, Pending, Tally
from penstock_sidecar.wire import messages


@dataclass(slots=True)
class Counted:
    """A statement under way, in a portal."""

    # None: it is run in a portal for another reason, and its rows are not counted.
    limit: Limit | None
    # What the server answers it with is due for this.
    pending: Pending
    # What it came to so far, if it is run in portions.
    tally: Tally
    # The portal.
    name: str = ""
    # How many rows the client asked for; 0: all.
    asked: int = 0
    # If it came as a Query: what else is due for the messages that replace it.
    query: tuple[Pending, ...] = ()
    # Something that the client sent before failed, so that the server skips it.
    skipped: bool = False
    # How many of them the server was asked for, and has delivered by now.
    wanted: int = 0
    delivered: int = 0
    # The row beyond the limit was asked for.
    probing: bool = False

    def owns(self, pending: Pending) -> bool:
        """Whether that is due for it, and not for something that the client sent before."""
        return any(pending is own for own in (*self.query, self.pending))

    def start(self) -> bytes:
        """The Execute that is sent in place of the client's."""
        if self.limit is None:
            return messages.execute(self.name) + messages.FLUSH
        left = self.limit.value - self.tally.returned
        self.wanted = self.asked if 0 < self.asked <= left else left
        # To the server, 0 rows would be all.
        return self._probe() if not self.wanted else messages.execute(self.name, self.wanted) + messages.FLUSH

    def suspended(self, nobody: str) -> bytes:
        """The server stopped: what to send it now; nothing if it stopped where the client wanted it to."""
        running = self.pending.running
        if self.probing and self.limit is not None:
            self.pending.denial = refusals.denied(_too_many(self.limit))
            self.pending.expected = refusals.UNDEFINED_PORTAL
            if running is not None:
                running.rows += self.delivered
                running.denied = True
            return messages.execute(nobody) + messages.FLUSH
        self.delivered = self.wanted
        self.tally.returned += self.wanted
        if self.wanted != self.asked:
            return self._probe()
        if running is not None:
            running.rows += self.delivered
        return b""

    def completed(self, tag: bytes) -> bytes:
        """The tag as the client would have had it: of a SELECT, the server counts the rows of the last Execute."""
        words, _, count = tag.rpartition(b" ")
        if words == b"FETCH":
            # All of its rows: those that came before it was asked for one more are counted already.
            self.tally.returned += int(count) - self.delivered
        elif words == b"SELECT":
            self.tally.returned += int(count)
            if self.probing and self.delivered:
                return b"%b %d" % (words, self.delivered)
        return tag

    def _probe(self) -> bytes:
        self.probing = True
        return messages.execute(self.name, 1) + messages.FLUSH


def of_query(limit: Limit | None, query: Pending, decision: Decision, tally: Tally) -> tuple[bytes, Counted]:
    """A Query of a single statement, and the messages that run it in a portal up to the Execute.

    Of their answers the client sees what a Query is answered: not that they were parsed and bound. The end of
    the Query is to follow.
    """
    sent = messages.parse("", decision.text) + messages.bind("", "") + messages.describe_portal("")
    kinds = (AnswerKind.PARSE, AnswerKind.BIND, AnswerKind.DESCRIBE)
    due = tuple(
        Pending(kind, swallow=True, redact=decision.redact_errors, text=query.text, decision=decision) for kind in kinds
    )
    return sent, Counted(limit, replace(query, kind=AnswerKind.EXECUTE), tally, query=due)


def end_of_query() -> tuple[bytes, list[Pending]]:
    """What follows, and what is due for it: nothing is left of a Query, neither a statement nor a portal."""
    sent = messages.SYNC + messages.close_statement("") + messages.close_portal("") + messages.FLUSH
    return sent, [
        Pending(AnswerKind.SYNC),
        Pending(AnswerKind.CLOSE, swallow=True),
        Pending(AnswerKind.CLOSE, swallow=True),
    ]


def _too_many(limit: Limit) -> Denial:
    rows = "row" if limit.value == 1 else "rows"
    return Denial(
        f"the statement returns more than {limit.value} {rows}",
        "ask for fewer by WHERE or LIMIT, or for totals",
        policy=limit.rule.policy,
        rule=limit.rule.path,
    )
