"""For whom a transaction is: the context that holds in it, what is bounded by it, and how it ends.

A context holds from the statement that sets it until the server says that the transaction is over, however it ends.
Rules, and who the statements are recorded for, are another's for that time. How such a statement gets here is
`context_pipeline.py`'s; whether a token is good is found out by the runtime.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from penstock_core.identity import Identity
from penstock_core.sql.decision import Action, Decision, Denial
from penstock_sidecar.session.commands import Decider, SessionRules, Vouched
from penstock_sidecar.session.undecided import Undecided

if TYPE_CHECKING:
    from penstock_sidecar.session.flow import Flow

_AGAIN = "roll the transaction back, and set the context in a new one"
_NO_CODE = "25P01"

OUTSIDE = Denial(
    "a context holds within a transaction, and none is open", "send BEGIN first, then set the context",
    sqlstate=_NO_CODE,
)  # fmt: skip
FAILED = Denial("the transaction has failed", _AGAIN, sqlstate="25P02")
SAVEPOINT = Denial(
    "a context can't be set behind a savepoint, to which the transaction may be rolled back",
    "set it before the first savepoint of the transaction", sqlstate="0A000",
)  # fmt: skip
ANOTHER = Denial(
    "the transaction has a context, of another person", "end the transaction, and set the context in a new one"
)
TEMPORARY = Denial(
    "the session has temporary tables, which were made with other rights than the context has",
    "drop them first (DISCARD TEMP), or set the context on another connection",
)
TIMEOUT = Denial(
    "the context's policies limit statement_timeout to less than the session began with",
    "have the policy of the application itself set guardrails.statementTimeout to no more than that",
)
UNCONFIGURED = Denial(
    "this gate accepts no contexts", "configure an issuer of contexts (identity.issuers[].context)", sqlstate="0A000"
)
NO_PARAMETER = Denial(
    "the token has to come with the statement", "write it into the text, or send it as the parameter of a Bind",
    sqlstate="0A000",
)  # fmt: skip
NO_TEXT = Denial("the token's parameter has to be a text", "declare it as text, or without a type", sqlstate="0A000")
NO_TICKET = Denial("within a context no ticket is given", "ask for it when the transaction has ended", sqlstate="0A000")
BY_NAME = Denial(
    "a prepared statement that sets a context can't be run by EXECUTE",
    "bind and execute it by the protocol's messages", sqlstate="0A000",
)  # fmt: skip
LONG = Denial("the token is too long", "have the issuer put less into it, or write it into the text", sqlstate="54000")
AMID = Denial(
    "within a context, nothing can stand behind what ends the transaction in one text", "send it as a text of its own"
)
EXPIRED = Denial("the context has expired, and its transaction with it", _AGAIN, sqlstate="28000")


@dataclass(frozen=True, slots=True)
class Context:
    """The context of the open transaction."""

    # By which its verification was asked for.
    ticket: int
    identity: Identity
    # By the session's clock, in microseconds: up to when it counts.
    expires: int
    # By which rules the session was decided before, and who it was.
    before: SessionRules = field(repr=False)
    own: Identity = field(repr=False)
    # The session's temporary tables at that time: what is made since goes with the transaction.
    temporary: frozenset[str] = frozenset()


class Contexts:
    """What of contexts one session has to know."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self.now: Context | None = None
        # The row that takes the place of the server's next one: set_config() gives what it was given, and what was
        # prepared to ask for a ticket gives that.
        self.echo: bytes | None = None
        # What the session is decided by outside of the context may be another than when it began.
        self._stale = False
        # A savepoint was sent in the open transaction.
        self._savepoints = False

    # How one begins.

    def unopened(self, *, begins: bool) -> Denial | None:
        """Why no context can be set at this point, once all is answered; `begins`: behind a BEGIN in its own text."""
        flow = self._flow
        if flow.status == b"E":
            return FAILED
        if not (flow.in_block or begins):
            return OUTSIDE
        return SAVEPOINT if self._savepoints else None

    def unfitting(self, vouched: Vouched) -> Denial | None:
        """Why this context, which is good, can't hold in this transaction."""
        flow, now = self._flow, self.now
        if now is not None and _person(now.identity) != _person(vouched.identity):
            return ANOTHER
        if flow.temporary.names and vouched.rules.policy != flow.rules.policy:
            return TEMPORARY
        return TIMEOUT if flow.former.outlasts(vouched.rules) else None

    def begin(self, ticket: int, vouched: Vouched, own: Identity) -> None:
        """From here on, the session acts for whom the context names."""
        flow, former = self._flow, self.now
        self._stale &= former is not None
        if former is None:
            flow.former.access.context_begins()
        self.now = Context(
            ticket, vouched.identity, flow.clock() + int(vouched.seconds * 1_000_000),
            before=flow.rules if former is None else former.before,
            own=own,
            temporary=flow.temporary.names if former is None else former.temporary,
        )  # fmt: skip
        flow.replace_rules(vouched.rules)
        if flow.evidence is not None:
            flow.evidence.acts_as(vouched.identity)

    # What holds within one.

    def sent(self, decision: Decision) -> None:
        """Such a text is being sent."""
        self._savepoints |= "savepoint" in decision.verbs

    def bounded(self, decision: Decision) -> Decision:
        """The decision as it holds within the context, where there is one."""
        context = self.now
        if context is None or decision.action is Action.DENY:
            return decision
        denial = self._denial(context, decision)
        if denial is None:
            return decision
        return replace(decision, action=Action.DENY, text="", denial=denial, same_but_text=None)

    def _denial(self, context: Context, decision: Decision) -> Denial | None:
        """Why a statement can't run in this context, which would run outside of one."""
        flow = self._flow
        if flow.clock() >= context.expires and decision.verbs != ("rollback",):
            return EXPIRED
        if flow.rules.observing:
            return None
        if decision.ends == "amid":
            return AMID
        if decision.outlasts:
            return Denial(
                f"{decision.outlasts} would be there after the transaction, for whom the next context names",
                "make it for this transaction alone (ON COMMIT DROP, WITHOUT HOLD, a local setting)",
            )
        return None

    def rules_changed(self) -> None:
        """The policy, the catalog or what a condition comes to is another: for the session's own rules, too."""
        self._stale = True

    # How it ends.

    def may_end(self, decision: Decision) -> bool:
        """Whether what is sent behind that text may be another's, so that it waits for the answer."""
        return self.now is not None and (decision.ends != "not" or decision.observed is Action.DENY)

    def completed(self, decision: Decision | None) -> None:
        """A statement was completed that ends a transaction, or a part of one."""
        if decision is None or decision.ends != "not" or decision.observed is Action.DENY:
            self.transaction_ended()

    def transaction_ended(self) -> None:
        """The transaction is over, or another one by now: what comes is the session's own again."""
        self._savepoints, self.echo = False, None
        context, self.now = self.now, None
        if context is None:
            return
        flow = self._flow
        flow.temporary.names &= context.temporary
        flow.former.access.context_ends()
        own = context.before
        if self._stale:
            # Nothing is decided before they have been looked at anew.
            own = replace(own, decider=_BehindContext(own.decider), ready=False)
        flow.replace_rules(own)
        if flow.evidence is not None:
            flow.evidence.acts_as(context.own)


class _BehindContext(Undecided):
    """Until the session's own rules are known."""

    def __init__(self, former: Decider) -> None:
        self._former = former

    def hears(self, channel: str) -> bool:
        """As before the context."""
        return self._former.hears(channel)


def _person(identity: Identity) -> tuple[str, str] | None:
    person = identity.beneficiary
    return None if person is None else (person.issuer, person.subject)
