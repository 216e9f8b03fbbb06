"""What was sent to the server and is not answered yet: one entry for each message that the server will answer.

Who adds entries is `client_side.py`, who takes them off `server_side.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from penstock_core.audit.event import Event
from penstock_core.policy.effective import CostLimit
from penstock_core.sql.decision import Decision, Denial
from penstock_sidecar.session.approved import Approved
from penstock_sidecar.session.gate_statements import ContextStatement
from penstock_sidecar.wire.framing import BrokenStreamError, Spot
from penstock_sidecar.wire.messages import ErrorFields


class AnswerKind(IntEnum):
    """What kind of answer is awaited."""

    QUERY = 1
    PARSE = 2
    BIND = 3
    DESCRIBE = 4
    EXECUTE = 5
    CLOSE = 6
    SYNC = 7
    # The client's CopyDone or CopyFail, sent before the server asked for data. Not answered; it bounds the Syncs that
    # the server ignores while it takes COPY data.
    COPY_END = 8


# Messages that are about one statement; without that, about one that does not exist.
_OF_ONE = frozenset({AnswerKind.BIND, AnswerKind.EXECUTE})
# Messages by which a statement runs, if only its planning does.
RUNS = frozenset({AnswerKind.QUERY, AnswerKind.BIND, AnswerKind.EXECUTE})


@dataclass(slots=True)
class NamesToCome:
    """Prepared statements and cursors that a text has yet to make and to give up, each in the order of the text."""

    prepares: list[str]
    deallocates: list[str]
    closes: list[str]
    declares: list[str]


@dataclass(slots=True)
class StatementRun:
    """A statement whose intent was recorded and whose outcome is due."""

    number: int
    # By the session's clock, in microseconds.
    started: int
    denied: bool = False
    # By which rule, where that turned out while it ran.
    refused: Denial | None = None
    # Delivered or changed; of one that nobody learns the end of, those that are known.
    rows: int = 0
    sqlstate: str = ""
    # Its intent was waited for, or its results are held until it is durable.
    durable: bool = False
    # What its intent says.
    intent: Event | None = field(default=None, repr=False)
    # Its outcome is recorded.
    ended: bool = False
    # What it has yet to make and to give up in SQL; None: nothing.
    names: NamesToCome | None = None
    # The session ended before it was sent: it failed nothing of the transaction that it was to be part of.
    unsent: bool = False
    # The ticket that it was answered with.
    ticket: str = ""
    # The transaction that it ran in; 0: it has not run.
    transaction: int = 0
    # The statements of the same text that come behind it.
    following: list[StatementRun] | None = None

    def next(self, now: int) -> StatementRun | None:
        """It has ended; the one that begins."""
        if not self.following:
            return None
        following = self.following.pop(0)
        following.following, self.following = self.following, None
        following.names, following.started = self.names, now
        return following


@dataclass(slots=True)
class Tally:
    """What one statement came to so far, in however many portions it is run, where that is counted."""

    returned: int = 0
    changed: int = 0
    # What it was approved for.
    approved: Approved | None = None

    def begin(self) -> None:
        """It is another statement from now on."""
        self.returned, self.approved = 0, None


@dataclass(slots=True)
class Pending:
    """One answer that is due."""

    kind: AnswerKind
    # The statement sent was one that must fail: the error to give in place of the one with SQLSTATE `expected`.
    denial: ErrorFields | None = None
    expected: str = ""
    # Our own message: the client is not told.
    swallow: bool = False
    # Errors and notices are reduced to what can hold no value.
    redact: bool = False
    # The SQLSTATE that all errors which rows make are told with; empty where they keep their own.
    mixed: str = ""
    running: StatementRun | None = None
    # Takes back what was assumed when it was sent, if it fails or (true) is skipped.
    undo: Callable[[bool], None] | None = None
    # The client's text that it is about, the types declared for its parameters, and what was decided about both.
    text: str = ""
    types: tuple[int, ...] = ()
    decision: Decision | None = None
    # The statement that a Parse makes, or a Describe asks about; the portal that a Bind opens.
    makes: PreparedStatement | None = None
    opens: Portal | None = None
    # A statement that was bound and never executed: its portal is gone once this is answered, or skipped.
    drops: StatementRun | None = None
    # It may change the search_path.
    moves_path: bool = False
    # How many rows an Execute asks for; 0: all.
    asked: int = 0


# Of these nothing is ever noted, so that one entry serves all: a Describe of a portal that waits to be executed, one of
# what no statement on record is waiting for, and a Sync.
OF_PORTAL, OF_NOTHING, OF_SYNC = Pending(AnswerKind.DESCRIBE), Pending(AnswerKind.DESCRIBE), Pending(AnswerKind.SYNC)


@dataclass(slots=True)
class PreparedStatement:
    """A prepared statement of the client's, made by Parse."""

    name: str
    text: str
    # The tail of its Parse message: the types of its parameters.
    oids: bytes
    decision: Decision
    # The epoch of rules that the decision was made in.
    epoch: int
    # What the server holds under the name, or None where a Parse of ours failed.
    on_server: str | None
    # The types of its parameters as numbers; empty where none is declared.
    types: tuple[int, ...] = ()
    # What had the name before, and has it again if the Parse fails.
    replaced: PreparedStatement | None = None
    # The search_path that it was decided by.
    path: tuple[str, ...] | None = None
    # What the server parsed it in (`surroundings.py`).
    surroundings: int = 0
    # It gives the transaction its context.
    sets_context: ContextStatement | None = None
    # It is answered with a ticket.
    gives_ticket: bool = False


@dataclass(slots=True)
class Portal:
    """A portal of the client's, made by Bind."""

    statement: PreparedStatement
    decision: Decision
    epoch: int
    parameters: int | None
    name: str = ""
    # The statement as it was recorded for the Bind, until an Execute runs it.
    running: StatementRun | None = None
    # That statement's number.
    number: int = 0
    # The server has opened it.
    open: bool = False
    # What the server bound it in.
    surroundings: int = 0
    # The formats and values of its parameters, where what it costs, or who approves it, is asked; None where they are
    # too long, or were not asked for.
    given: bytes | None = None
    # As much of them as is recorded in an emergency.
    told: bytes | None = None
    # A Bind made it, with parameters.
    bound: bool = False
    # What it costs was asked, and is within this.
    priced: CostLimit | None = None
    # The token that was bound, where its statement sets a context.
    token: str = field(default="", repr=False)
    # The ticket that it was to be answered with was handed out.
    given_out: bool = False
    # What its Executes came to.
    tally: Tally = field(default_factory=Tally)

    def recorded(self, running: StatementRun | None) -> None:
        """Its Bind is on record as this, or is refused."""
        self.running = running
        self.number = 0 if running is None else running.number

    def take(self) -> StatementRun | None:
        """What was recorded for the Bind, once: to be executed, or to end without that."""
        running, self.running = self.running, None
        return running


@dataclass(slots=True)
class AwaitingDurability:
    """A statement that waits for its intent to become durable."""

    ticket: int
    spot: Spot
    pending: Pending
    # What to send for it; None: as it came.
    replacement: bytes | None
    decision: Decision
    # The epoch of rules that the decision was made in.
    epoch: int


@dataclass(slots=True)
class CatalogChange:
    """A change of the catalog that waits until it may be committed, and what comes of it then."""

    send: Callable[[], None]
    # It can't be committed: what fails goes in its place.
    fail: Callable[[], None]
    # It commits at a time of its own choosing: nobody may be inside meanwhile.
    alone: bool = False
    # Not yet for other sessions, but for the answers to what this one sent before: then the message is looked at again.
    waits: bool = False
    spot: Spot | None = None
    pending: Pending | None = None
    # The epoch of rules that it was decided in, where it is a statement that was not sent.
    epoch: int | None = None


def forget_what_copy_ignores(queue: deque[Pending]) -> bool:
    """Take out the Syncs before the client's end of the data; whether that end is still to come."""
    ended = False
    kept: list[Pending] = [queue[0]]
    for pending in list(queue)[1:]:
        if not ended and pending.kind is AnswerKind.COPY_END:
            ended = True
        elif ended or pending.kind is not AnswerKind.SYNC:
            if not ended and queue[0].kind is AnswerKind.QUERY:
                # The server will take it for data that is wrong, or run it, and does not tell which.
                raise BrokenStreamError("the client sent a statement where COPY data was due")
            kept.append(pending)
    queue.clear()
    queue.extend(kept)
    return not ended


def run_by(failed: Sequence[Pending]) -> StatementRun | None:
    """Of the messages that are done by the failure of the first: the statement that this one was for, if it is on
    record. A Parse that fails, or a Bind, fails the Execute that was to follow it.
    """
    first = failed[0]
    if first is OF_NOTHING or (first.kind in _OF_ONE and first.running is None and not first.swallow):
        return None
    for place, pending in enumerate(failed):
        if place and (pending.kind is first.kind or (first is OF_PORTAL and pending.kind is AnswerKind.BIND)):
            break
        if pending.running is not None:
            other = place and first.makes and (pending.opens is None or pending.opens.statement is not first.makes)
            return None if other else pending.running
    return None


def lasts(decision: Decision) -> bool:
    """Whether a governed statement leaves something for COMMIT: deferred constraints, or rows of a held cursor."""
    if not decision.redact_errors:
        return False
    return decision.writes or (bool(decision.declares) and any(holds for _, holds in decision.declares))
