"""One statement whose rows are limited: what is sent for it, so that the server itself stops, and what it answers.

Of rows that it returns, the server is asked for as many as may still come, and not for all. If it stops there, it is
asked for one more, which goes no further: where there is none, the statement has ended in time; where there is one, a
statement that must fail takes the next place, so that the server's transaction is in the state that the client reads
in the error.

Rows that it changes are counted by the server (`measuring.py`), which is asked before and after, in one transaction
with it. What the client reads at its end is held back until then; if there are too many, what must fail undoes it all.

The client's later messages wait meanwhile (`machine.py`): what was sent ahead would have run before it is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from penstock_core.policy.effective import CostLimit, Limit
from penstock_core.sql.decision import Decision, Denial
from penstock_sidecar.session import measuring, pricing, refusals
from penstock_sidecar.session.in_flight import AnswerKind, Pending, Portal, Tally
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import Spot

# Tags of what may go on after it has ended: a cursor can be moved back.
_IN_PORTIONS = (b"SELECT", b"FETCH")


@dataclass(slots=True)
class Counted:
    """A statement under way, in a portal."""

    # None: it is run in a portal for another reason, and its rows are not counted.
    limit: Limit | None
    # The rows that it changes are counted by this.
    changes: Limit | None
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
    # The message that brought it, and the epoch of rules that it was decided in.
    spot: Spot | None = None
    epoch: int = 0
    # While the planner was asked, something changed by which it is decided: the message is dealt with anew.
    outdated: bool = False
    # How many of them the server was asked for, and has delivered by now.
    wanted: int = 0
    delivered: int = 0
    # The row beyond the limit was asked for.
    probing: bool = False
    # What the planner may estimate, while it is asked; and what it answers. The portal, if it came as an Execute.
    cost: CostLimit | None = None
    estimate: float | None = None
    portal: Portal | None = None
    # What was asked besides, and which answer is the last that is due.
    asked_besides: list[Pending] = field(default_factory=list)
    due: Pending | None = None
    # What had been changed before, and what has been by now; None: the server does not count.
    before: measuring.Counts = None
    after: measuring.Counts = None
    # What the client reads at its end, and how much came before that.
    held: bytes = b""
    size: int = 0

    @property
    def last(self) -> Pending:
        """What is answered last."""
        return self.due or self.pending

    @property
    def by_row(self) -> bool:
        """Whether rows have to be looked at."""
        return self.probing or self.changes is not None or self.cost is not None

    def await_answers(self, due: list[Pending]) -> None:
        """The counts are asked for, after it."""
        self.asked_besides += due
        self.due = due[-1]

    def asked_for(self, pending: Pending) -> bool:
        """Whether the answer is for what was asked besides."""
        return any(pending is one for one in self.asked_besides)

    def note(self, row: bytes, *, complete: bool) -> None:
        """What was asked besides: the estimate, or the counts. Raises MalformedError."""
        if self.cost is not None:
            self.estimate = pricing.read(row)
            return
        counts = measuring.read(row) if complete else None
        if self.held:
            self.after = counts
        else:
            self.before = counts

    def excess(self) -> Denial | None:
        """Why the statement may not have changed what it has; None if it may."""
        limit = self.changes
        if limit is None:
            return None
        if self.before is None or self.after is None:
            return _uncounted(limit)
        self.tally.changed += measuring.changed(self.before, self.after)
        return _too_many_changes(limit) if self.tally.changed > limit.value else None

    def owns(self, pending: Pending) -> bool:
        """Whether that is due for it, and not for something that the client sent before."""
        return any(pending is own for own in (*self.query, *self.asked_besides, self.pending, self.last))

    def start(self) -> bytes:
        """The Execute that is sent in place of the client's."""
        if self.limit is None:
            self.wanted = self.asked
            return messages.execute(self.name, self.asked) + messages.FLUSH
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
                running.denied, running.refused = True, _too_many(self.limit)
            return messages.execute(nobody) + messages.FLUSH
        self.delivered = self.wanted
        self.tally.returned += self.wanted
        if self.wanted != self.asked:
            return self._probe()
        if running is not None:
            running.rows += self.delivered
        return b""

    def completed(self, tag: bytes) -> bytes:
        """The tag as the client would have had it: the server counts the rows of the last Execute."""
        words, _, count = tag.rpartition(b" ")
        if words in _IN_PORTIONS:
            self.tally.returned += int(count)
        if self.probing and self.delivered and count.isdigit():
            return b"%b %d" % (words, self.delivered)
        return tag

    def _probe(self) -> bytes:
        self.probing = True
        return messages.execute(self.name, 1) + messages.FLUSH


def of_query(query: Pending, decision: Decision, tally: Tally) -> tuple[bytes, Counted]:
    """A Query of a single statement, and the messages that run it in a portal up to the Execute.

    Of their answers the client sees what a Query is answered: not that they were parsed and bound. The end of
    the Query is to follow.
    """
    sent = messages.parse("", decision.text) + messages.bind("", "") + messages.describe_portal("")
    kinds = (AnswerKind.PARSE, AnswerKind.BIND, AnswerKind.DESCRIBE)
    due = tuple(
        Pending(kind, swallow=True, redact=decision.redact_errors, text=query.text, decision=decision) for kind in kinds
    )
    pending = replace(query, kind=AnswerKind.EXECUTE)
    return sent, Counted(decision.row_limit, decision.change_limit, pending, tally, query=due)


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


def _too_many_changes(limit: Limit) -> Denial:
    rows = "row" if limit.value == 1 else "rows"
    return Denial(
        f"the statement changes more than {limit.value} {rows}, so that it was undone",
        "choose fewer by WHERE, in several statements if need be",
        policy=limit.rule.policy,
        rule=limit.rule.path,
    )


def _uncounted(limit: Limit) -> Denial:
    return Denial(
        "the rows that the statement changes can't be counted: the server's track_counts is off",
        "have track_counts switched on",
        policy=limit.rule.policy,
        rule=limit.rule.path,
    )


def unasked(decision: Decision) -> Denial:
    """The denial of a statement whose cost can't be asked."""
    limit = decision.cost_limit
    if limit is None:
        raise ValueError("what a statement costs is not limited")
    return pricing.unasked(limit)
