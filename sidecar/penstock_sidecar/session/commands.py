"""What the machine asks of the runtime: the commands, and the values the two exchange.

Performing them is `penstock_sidecar.proxy`'s business; when they are given is `machine.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from penstock_core.approvals.access import AskingAccess
from penstock_core.approvals.asking import Asking
from penstock_core.audit.event import Event
from penstock_core.identity import Identity
from penstock_core.policy.effective import OnFailure
from penstock_core.resources.grant import Grant
from penstock_core.sql.decision import Decision
from penstock_core.sql.shared_decisions import Question
from penstock_sidecar.session.choosing import Choose
from penstock_sidecar.session.door import Inside


class ToClient(NamedTuple):
    """Write to the client."""

    data: bytes


class ToServer(NamedTuple):
    """Write to the server."""

    data: bytes


class Record(NamedTuple):
    """Append these bodies to the audit trail; with `report`, tell when they are durable or could not be written."""

    ticket: int
    bodies: list[Event]
    report: bool


class AwaitMoment(NamedTuple):
    """Report `moment_over` with that ticket after a moment: so long a batch may wait for what comes of it."""

    ticket: int


class StartTls(NamedTuple):
    """Begin the TLS handshake with the client, whose first bytes these are; answer with `encrypted` or
    `handshake_failed`.
    """

    first: bytes


class Verify(NamedTuple):
    """Verify this token; answer with `identified` or `token_refused`."""

    token: str


class Challenge(NamedTuple):
    """Find out with what salt that ticket's secret is proved; answer with `challenged` or `token_refused`."""

    ticket: str


class Redeem(NamedTuple):
    """Find out whether that proves a ticket's secret, and use the ticket up; answer with `identified` or
    `token_refused`.
    """

    ticket: str
    # The database that the client asks for.
    dbname: str
    exchange: bytes
    proof: bytes


class IssueTicket(NamedTuple):
    """Make a ticket for whom the session's token named; answer with `ticket_made` or `ticket_refused`."""

    database: str


class Connect(NamedTuple):
    """Log in upstream with these startup parameters; answer with `connected` or `connect_failed`."""

    parameters: dict[str, str]


class Cancel(NamedTuple):
    """Someone presented this cancel key: cancel what runs in the session it belongs to, if there is one, and close.

    Not before that is done: clients take the end of the connection for the sign that they may go on.
    """

    pid: int
    key: bytes


class RefreshCatalog(NamedTuple):
    """Read the catalog anew if it was not read just now; answer with `catalog_read`."""


class CatalogStale(NamedTuple):
    """A change of the catalog may have been committed: read it."""


class AwaitCatalog(NamedTuple):
    """Answer with `catalog_read` once the door is open, or after a time that a statement may wait at most."""


class AwaitRules(NamedTuple):
    """Answer with `rules_replaced` and `catalog_read` once the session's rules are made, or could not be."""


class Deliberate(NamedTuple):
    """Have that decider know its decision about a question that it deferred; answer with `catalog_read`."""

    decider: Decider
    question: Question


class VerifyContext(NamedTuple):
    """Verify this token, which names for whom the open transaction is; answer with `vouched`."""

    ticket: int
    token: str


class AskApproval(NamedTuple):
    """Ask the holder of requests whether that statement may run now; answer with `answered`."""

    ticket: int
    asking: Asking


class AskAccess(NamedTuple):
    """Ask the holder of requests for access for a time; answer with `answered`."""

    ticket: int
    asking: AskingAccess


class AwaitApproval(NamedTuple):
    """Answer with `answered` once that request stands otherwise than waiting, or after that many seconds."""

    ticket: int
    request: str
    seconds: float


class Abandon(NamedTuple):
    """The session ended while it changed something: it is at the door until the server's process is gone."""

    who: Inside


class Interrupt(NamedTuple):
    """Cancel what the server runs for the session."""


class CloseDoor(NamedTuple):
    """Answer with `door_closed` once no other session is inside that writes, or with `alone` none at all; or after a
    time that a change may wait at most.
    """

    alone: bool
    who: Inside


class EndWithin(NamedTuple):
    """End the session after that long if it lasts till then: cancel what the server runs for it, and report `drain` at
    once with this reason.
    """

    seconds: float
    reason: str


class Close(NamedTuple):
    """Close both connections, after what was written. `problem`: one line for the log, or nothing to say."""

    problem: str


Command = (
    ToClient
    | ToServer
    | Record
    | AwaitMoment
    | StartTls
    | Verify
    | Challenge
    | Redeem
    | IssueTicket
    | Connect
    | Cancel
    | RefreshCatalog
    | CatalogStale
    | AwaitCatalog
    | AwaitRules
    | Deliberate
    | CloseDoor
    | VerifyContext
    | AskApproval
    | AskAccess
    | AwaitApproval
    | Abandon
    | Interrupt
    | EndWithin
    | Close
)


class Decider(Protocol):
    """Decides about SQL texts, by one policy and one catalog: `penstock_core.sql.governor.Governor`."""

    def decide(
        self,
        text: str,
        search_path: tuple[str, ...] | None,
        temporary: frozenset[str],
        types: tuple[int, ...] = (),
        made: frozenset[tuple[str, str]] = frozenset(),
    ) -> Decision: ...

    def names(self, schema: str, table: str, column: str, constraint: str) -> bool:
        """Whether an error may name these: nothing of them is masked."""
        ...

    def alike(self, one: Decision, other: Decision) -> bool:
        """Whether the same text, decided under two search paths, reads what has the same columns."""
        ...

    def hears(self, channel: str) -> bool:
        """Whether what is sent to a channel may pass."""
        ...


class Trail(Protocol):
    """What a session may know of the audit trail at any moment."""

    @property
    def refusal(self) -> str:
        """Why nothing can be recorded right now, in words for the client; empty while it can."""
        ...


@dataclass(frozen=True, slots=True)
class SessionRules:
    """By what a session's statements are decided from some moment on."""

    decider: Decider
    on_failure: OnFailure
    # The path that bare names of a new session resolve by.
    search_path: tuple[str, ...]
    # Keys the HMACs of SQL texts in the audit trail.
    hmac_key: bytes = field(repr=False)
    # What the decider decides by, without generations: equal values decide alike, statement for statement.
    policy: object = None
    # Whether nothing is enforced: what would be refused is recorded as such and passes.
    observing: bool = False
    # How long one statement may run, in milliseconds; None: as long as the server lets it.
    statement_timeout: int | None = None
    # Whether the identity has masks that are enforced: its statements need a catalog that is fresh.
    masked: bool = False
    # Whether the decider is made. Until it is, nothing is decided.
    ready: bool = True
    # Of the bundle that they come from; None: as each decision says.
    generation: int | None = None
    # Access that lasts for a time, and is part of what they let; what could be asked for, in words.
    access: tuple[Grant, ...] = ()
    askable: str = ""
    # What conditions of approvals know of the session at this moment: who it is, where from, the time.
    # By party: an agent, and the one whom it acts for, are each judged alone.
    facts: Callable[[], Sequence[Mapping[str, object]]] = field(default=lambda: ({},), compare=False, repr=False)

    @property
    def in_emergency(self) -> bool:
        """Whether everything is recorded in full, values of parameters among it."""
        return any(one.break_glass for one in self.access)


@dataclass(frozen=True, slots=True)
class Vouched:
    """A context that is good: who the session is within it, by which rules, and for how many seconds it counts."""

    identity: Identity
    rules: SessionRules
    seconds: float


@dataclass(frozen=True, slots=True)
class IssuedTicket:
    """A ticket that was made, as its owner is told it once."""

    name: str
    secret: str = field(repr=False)
    until: str


LoginMethod = Literal["password", "oauthbearer"]


@dataclass(frozen=True, slots=True)
class TokenSource:
    """Where clients that get tokens by themselves get one; empty where they aren't told."""

    # The URL of an OpenID provider's configuration, and what to ask it for.
    configuration: str = ""
    scope: str = ""


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """What all sessions of one proxy have in common."""

    # The Database resource's name, and the name of the database on the server; empty where the client chooses.
    database: str = ""
    # Empty where no policy has told it yet: then no session comes about.
    dbname: str = ""
    # Whether clients prove themselves with a token: never, if they name the user `token`, or always.
    token: Literal["never", "asked", "always"] = "never"  # noqa: S105 - no secret
    # Whether clients are offered TLS, and whether a session may begin without.
    tls: Literal["off", "optional", "required"] = "off"
    # Who a client is without a token.
    workload: Identity = Identity()  # noqa: RUF009 - frozen
    # The longest SQL text that is decided about.
    statement_limit: int = 16 << 20
    # How clients present a token, unless they ask for another way.
    login: LoginMethod = "password"
    source: TokenSource = TokenSource()
    # Whether transactions may have contexts.
    contexts: bool = False
    # How the client's choice among several databases is found.
    choose: Choose | None = None


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What tells one session from the others; all of it chosen by the runtime."""

    session: str
    address: str
    # The cancel key that the client gets, with the server's own process number.
    key: bytes = field(repr=False)
    # Unguessable: part of names that no client may hit upon.
    nonce: str = field(repr=False)

    @property
    def nobody(self) -> str:
        """A name that no statement or portal of a client can have."""
        return f"penstock_{self.nonce}"
