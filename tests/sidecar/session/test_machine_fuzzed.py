"""Conversations with bytes changed, cut, doubled and out of turn: the machine ends them in words, or goes on in order.

Deterministic: each number is one conversation. `make soak` has twenty-five times as many.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest
from tests.sidecar.session.conversation import WEB, Book, Conversation, allow, deny, greeting, rewrite, run
from tests.sidecar.session.server import Server

from penstock_core.approvals.asking import Answered
from penstock_core.audit.event import Event
from penstock_core.identity import Principal
from penstock_core.policy.effective import ApprovalRule, Limit, Rule
from penstock_core.policy.holding import Effects, Holding
from penstock_core.policy.revocation import by_policy
from penstock_core.sql.decision import Decision, Denial
from penstock_sidecar.session import commands, refusals
from penstock_sidecar.session.commands import IssuedTicket, ProxyConfig, Vouched
from penstock_sidecar.session.door import Door
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import FLUSH, SYNC, message, parse, query

PASSWORD = message(b"p", b"a.token.of-the-issuer\0")
BEARER = message(b"p", b"OAUTHBEARER\0\0\0\0\x27n,,\x01auth=Bearer a.token.of-the-issuer\x01\x01")
ACKNOWLEDGEMENT = message(b"p", b"\x01")
TICKET = "ticket-aaaqeayeaudaocajbifq"
SCRAM = [
    message(b"p", b"SCRAM-SHA-256\0\0\0\0\x0en,,n=,r=client"),
    message(b"p", b"c=biws,r=clientserver,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
]
SHOW = query("SHOW penstock.ticket")
SSL = messages.ssl_request()
DECLARE = "DECLARE c CURSOR FOR SELECT 1"
TOKEN = "a-token.of-the-issuer-of-contexts." + "s" * 40
SET = f"SET LOCAL penstock.context = '{TOKEN}'"
CALL = "SELECT set_config('penstock.context', $1, true)"
BOUND_TOKEN = message(b"B", b"\0\0\0\0\0\x01" + len(TOKEN).to_bytes(4, "big") + TOKEN.encode() + b"\0\0")
PEOPLE = [Principal("person", name, "https://id.example") for name in ("ada", "bob")]
# What texts do to what the session has, as the governor would tell.
EFFECTS: dict[str, dict[str, Any]] = {
    "DEALLOCATE a": {"deallocates": ("a",)},
    "DEALLOCATE ALL": {"deallocates": ("*",)},
    DECLARE: {"declares": (("c", False),), "made_from": DECLARE},
    "FETCH c": {"fetches": ("c",)},
    "CLOSE c": {"closes": ("c",)},
    "CREATE TEMP TABLE t": {"temporary": frozenset({"t"})},
}
TEXTS = [
    "SELECT 1", "SELECT limited", "SELECT masked", "SELECT denied", "SELECT fresh", "INSERT INTO t",
    "SELECT governed", "BEGIN", "COMMIT",
    "DEALLOCATE a", "DEALLOCATE ALL", DECLARE, "FETCH c", "CLOSE c", "CREATE TEMP TABLE t", "SET search_path = x",
    "COPY t FROM STDIN", "CREATE VIEW v", "CREATE VIEW v", "CALL p", "DELETE held", "DELETE waiting",
    "UPDATE changing", "COPY changing FROM STDIN",
]  # fmt: skip
CHANGING = "COPY changing FROM STDIN"
NAMES = ["", "a", "b"]
LIMIT = Limit(2, Rule("web", "guardrails.maxRowsReturned"))
HOLDS = ApprovalRule("all", "statement.verb != 'x'", ("dba",), "1h", 0, Rule("web", "approvals[all]"))
HOLDINGS = {
    "held": Holding(Effects(frozenset({"delete"})), rules=(HOLDS,), planned=True),
    "waiting": Holding(Effects(frozenset({"delete"})), rules=(replace(HOLDS, wait=60_000),)),
}
COPIED = message(b"d", b"1\n")
BATCHES = pytest.mark.parametrize(
    "batch", [*range(4), *(pytest.param(number, marks=pytest.mark.soak) for number in range(4, 100))]
)
EACH = 2000


class Moody(Book):
    """Decides by the text alone, as any decider, and is made anew with each policy."""

    def decide(
        self, text: str, search_path: tuple[str, ...] | None, temporary: frozenset[str], types: tuple[int, ...] = (),
        made: frozenset[tuple[str, str]] = frozenset(),
    ) -> Decision:  # fmt: skip
        word = text.split(maxsplit=2)[1] if len(text.split()) > 1 else ""
        if word == "denied":
            return deny()
        if word == "fresh":
            return deny(unknown_names=True)
        if word == "masked":
            return rewrite(f"SELECT mask /* {self.entries and 'later'} */", redact_errors=True)
        verb = text.split(maxsplit=1)[0].lower() if text.split() else ""
        decision = allow(
            text, writes=verb in ("insert", "copy", "declare", "create", "call"), redact_errors=word == "governed",
            changes_search_path=verb == "set", row_limit=LIMIT if word == "limited" else None,
            change_limit=LIMIT if word == "changing" else None,
            changes_catalog=verb in ("create", "call"), commits_itself=verb == "call", holding=HOLDINGS.get(word),
        )  # fmt: skip
        return replace(decision, verbs=(verb,), **EFFECTS.get(text, {})) if verb else decision


def startup(user: str) -> bytes:
    return messages.startup({"user": user, "database": "shop", "application_name": "till"})


def spoken(dice: Random) -> list[bytes]:
    """What a client says after its startup packet."""
    said: list[bytes] = []
    for _ in range(dice.randrange(1, 12)):
        text, name, portal = dice.choice(TEXTS), dice.choice(NAMES), dice.choice(NAMES)
        said += dice.choice([
            [query(text)], [parse(name, text)], [parse("", text), run(), SYNC], [run(name, portal)], [SYNC], [FLUSH],
            [messages.close_statement(name)], [message(b"C", b"P" + portal.encode() + b"\0")],
            [message(b"D", b"S" + name.encode() + b"\0")], [query("COPY t FROM STDIN"), COPIED, message(b"c", b"")],
            [parse("", "UPDATE changing"), run(), SYNC, messages.execute(""), SYNC],
            [parse(name, text), messages.bind(portal, name), SYNC, messages.execute(portal), SYNC],
            [query(CHANGING), COPIED, message(b"c", b"")],
            [parse("", dice.choice([CHANGING, "COPY t FROM STDIN"])), run(), SYNC, COPIED, message(b"f", b"\0"), SYNC],
            [parse("", "DELETE held"), run(), SYNC], [parse("", "DELETE waiting"), run(), SYNC],
            [query("BEGIN"), query(SET), query(text), query("COMMIT")], [query(f"BEGIN; {SET}"), query(text)],
            [query("BEGIN"), parse("", CALL), BOUND_TOKEN, messages.execute(""), parse("", text), run(), SYNC],
            [query("BEGIN"), parse(name, SET), run(name, portal), run(name), SYNC, query("COMMIT"), query(text)],
            [query("DELETE held")], [query("DELETE waiting")], [SHOW], [SHOW],
            [parse("", "SHOW penstock.ticket"), SYNC],
            [message(b"F", bytes(10))], [messages.TERMINATE] if dice.random() < 0.1 else [SYNC],
        ])  # fmt: skip
    return said


def mutated(dice: Random, data: bytes) -> bytes:
    """The same with something wrong, now and then."""
    if not data or dice.random() < 0.9:
        return data
    at, to = sorted((dice.randrange(len(data)), dice.randrange(len(data))))
    return dice.choice([
        lambda: data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :],
        lambda: data[:at] + data[to:],
        lambda: data[:to] + data[at:],
        lambda: data[:at] + dice.randbytes(dice.randrange(1, 20)) + data[at:],
        lambda: data[:at] + dice.choice(b"QPBEDCSHXcfdpFZTRKvN").to_bytes(1, "big") + data[at + 1 :],
        lambda: data[: 1 if at % 2 else 0] + dice.choice([0, 3, 4, 5, 2**31, 2**32 - 1]).to_bytes(4, "big") + data[5:],
        lambda: data[:to],
    ])()  # fmt: skip


@dataclass(eq=False)
class Neighbour:
    """Another session at the same door, as far as it counts there."""

    writing: bool

    def doubt(self) -> None:
        """It looks after itself."""


class Play:
    """One conversation: what the machine commands is done as the runtime would, at some later moment."""

    def __init__(self, number: int) -> None:
        self.dice = dice = Random(number)
        config = ProxyConfig(
            "shop", "shop", dice.choice(["never", "asked", "always"]), dice.choice(["off", "optional"]), WEB, 300,
            dice.choice(["password", "oauthbearer"]), contexts=dice.random() < 0.9,
        )  # fmt: skip
        self.door = Door()
        self.neighbour = Neighbour(dice.random() < 0.9)
        self.talk = Conversation(
            on_failure=dice.choice(["block", "continue"]), config=config, open_=False, masked=dice.random() < 0.5,
            door=self.door,
        )  # fmt: skip
        if dice.random() < 0.7:
            self.door.enter(self.neighbour)
        self.talk.book = Moody({})
        self.server = Server(dice)
        user = dice.choice(["app", "app", "token", "token", TICKET])
        self.to_client: list[bytes] = [mutated(dice, startup(user))]
        if config.token != "never" and user == TICKET:
            self.to_client += [mutated(dice, part) for part in SCRAM]
        elif config.token == "always" or (config.token == "asked" and user == "token"):
            self.to_client.append(mutated(dice, PASSWORD if config.login == "password" else BEARER))
            if dice.random() < 0.2:
                self.to_client.append(mutated(dice, ACKNOWLEDGEMENT))
        if dice.random() < 0.2:
            self.to_client.insert(0, mutated(dice, SSL))
        for part in spoken(dice):
            self.to_client.append(mutated(dice, part))
        self.answers: list[bytes] = []
        # What the runtime owes the machine.
        self.owed: list[Any] = []
        # And of the trail, which comes in order.
        self.tickets: list[tuple[int, list[Event]]] = []
        # Statements whose intents it could not take: it leaves out their outcomes too.
        self.lost: set[object] = set()
        self.closed = False
        # Approvals that were given.
        self.granted = 0
        # What happened at the door.
        self.seen: Counter[str] = Counter()
        # The states that it was in between two events.
        self.rested: set[State] = {State.OPENING}

    def run(self) -> None:
        session, dice = self.talk.session, self.dice
        for _ in range(300):
            moves = self._moves()
            if not moves or self.closed:
                break
            self._did(dice.choice(moves)())
        self._did(session.client_closed())
        assert session.state is State.CLOSED
        self._check()

    def _moves(self) -> list[Any]:
        session = self.talk.session
        moves: list[Any] = list(self.owed)
        if self.tickets:
            moves.append(self._recorded)
        if self.talk.moments:
            moves.append(self._moment_over)
        if self.to_client and not session.client_waits and session.state is not State.ENCRYPTING:
            moves += [self._client_speaks] * 4
        if session.state is State.ENDED:
            self.answers.clear()
        if self.answers and not session.server_waits:
            moves += [self._server_speaks] * 4
        moves += self._ends()
        if session.takes_rules and session.identity != session.own_identity and self.dice.random() < 0.5:
            moves += [self._new_rules] * 2
        if self.dice.random() < 0.05:
            moves.append(session.cancelled if session.takes_rules else session.flush)
        if self.dice.random() < 0.2:
            moves += [self._neighbour_changes, session.flush]
        if self.dice.random() < 0.05:
            moves.append(self._neighbour_leaves)
        if self.talk.session.door_key in self.door.in_doubt and self.door.open:
            moves.append(self._doubt_ends)
        return moves

    def _ends(self) -> list[Any]:
        """What ends a session, or may: rarely, but for a server that goes before its answer is on record."""
        session, moves = self.talk.session, list[Any]()
        if self.dice.random() < 0.01:
            moves += [
                lambda: session.expired(at_once=self.dice.random() < 0.5),
                lambda: session.drain("stopping", at_once=self.dice.random() < 0.5),
                lambda: session.revoked(by_policy("stop")),
            ]
            if session.takes_rules:
                moves += [session.server_closed, self._new_rules]
        if session.takes_rules and self.talk.flow.withholds and self.dice.random() < 0.05:
            moves.append(session.server_closed)
        return moves

    def _client_speaks(self) -> Any:
        data = self.to_client.pop(0)
        if self.dice.random() < 0.3 and len(data) > 1:
            at = self.dice.randrange(1, len(data))
            data, rest = data[:at], data[at:]
            self.to_client.insert(0, rest)
        return self.talk.session.client_bytes(data)

    def _server_speaks(self) -> Any:
        return self.talk.session.server_bytes(self.answers.pop(0))

    def _neighbour_changes(self) -> Any:
        """Another session commits a change of the catalog, which is read later."""
        door = self.door
        if door.close(self.neighbour, alone=False):
            door.commits(self.neighbour)
            door.changed(self.neighbour)
            self._owe(self._read)
        return []

    def _neighbour_leaves(self) -> Any:
        self.door.leave(self.neighbour)
        return []

    def _read(self) -> Any:
        self.door.read(self.door.changes)
        return []

    def _doubt_ends(self) -> Any:
        session = self.talk.session
        self.door.in_doubt.discard(session.door_key)
        self.seen["doubt"] += 1
        return session.doubt_ended(fresh=self.dice.random() < 0.8)

    def _closed_door(self, alone: bool) -> Any:
        session, door = self.talk.session, self.door
        door.force(session.door_key)
        self.seen["door"] += 1
        closed = not door.before(session.door_key, alone=alone)
        if session.state is State.CLOSED:
            door.give_up(session.door_key)
        return session.door_closed(alone=closed)

    def _awaited(self) -> Any:
        self.seen["late"] += 1
        return self.talk.session.catalog_read(fresh=self.door.open)

    def _holder_answers(self, ticket: int, *, uses: bool) -> Any:
        self.seen["holder"] += 1
        self.talk.now += 20_000_000
        standing: Any = self.dice.choice(["granted"] * 4 + ["waiting", "waiting", "denied", "refused", ""])
        self.granted += uses and standing == "granted"
        if not standing:
            return self.talk.session.answered(ticket, None, "it is down")
        return self.talk.session.answered(ticket, Answered(standing=standing, request="r-1"))

    def _context_verified(self, ticket: int) -> Any:
        session, dice = self.talk.session, self.dice
        if self._rarely():
            return session.vouched(ticket, None, Denial("no", "get a new one"))
        self.seen["context"] += 1
        seconds = dice.choice([0.00001, 60.0])
        acting = session.own_identity.acting_for(dice.choice(PEOPLE))
        return session.vouched(ticket, Vouched(acting, self.talk.rules(dice.randrange(3)), seconds))

    def _rules_made(self) -> Any:
        session = self.talk.session
        self.seen["own again"] += 1
        done = session.rules_replaced(self.talk.rules(self.dice.randrange(3)))
        return done + session.catalog_read() if session.state is State.RESOLVING else done

    def _judged(self, command: commands.Command) -> Any:
        """What was presented is good, as nearly always; or there is a ticket."""
        session, good = self.talk.session, not self._rarely()
        if isinstance(command, commands.IssueTicket):
            self.seen["ticket"] += 1
            no = refusals.fatal("57P03", "no")._replace(severity="ERROR")
            return session.ticket_made(IssuedTicket(TICKET, "made-up", "soon")) if good else session.ticket_refused(no)
        if isinstance(command, commands.Challenge):
            return session.challenged(b"s", 4096, "server") if good else session.token_refused("no")
        self.seen["token" if isinstance(command, commands.Verify) else "proof"] += 1
        return session.identified(WEB, b"final") if good else session.token_refused("no")

    def _rarely(self) -> bool:
        return self.dice.random() < 0.05

    def _connected(self) -> Any:
        if self._rarely():
            return self.talk.session.connect_failed(refusals.fatal("08006", "no server"))
        said = greeting(server_version="18", search_path="public")
        return self.talk.session.connected(self.talk.rules(), said)

    def _new_rules(self) -> Any:
        self.talk.book = Moody({"later": allow("x")} if self.dice.random() < 0.5 else {})
        return self.talk.session.rules_replaced(self.talk.rules(self.dice.randrange(3)))

    def _did(self, answer: list[commands.Command]) -> None:
        was_closed = self.closed
        self.rested.add(self.talk.session.state)
        self.talk.did(answer)
        for command in answer:
            if isinstance(command, commands.Record) and command.report:
                self.tickets.append((command.ticket, command.bodies))
        assert not (was_closed and (self.talk.to_client or self.talk.to_server)), "it speaks after its end"
        if self.talk.to_server and self.talk.session.state is not State.CONNECTING:
            self.answers.append(mutated(self.dice, self.server.take(self.talk.to_server)))
        for command in self.talk.rest:
            self._perform(command)

    def _recorded(self) -> Any:
        session, (ticket, bodies) = self.talk.session, self.tickets.pop(0)
        if self.dice.random() < 0.95:
            return session.durable(ticket)
        self.lost |= {body["statement"] for body in bodies if body["kind"] == "intent"}
        return session.audit_failed(ticket, "full")

    def _moment_over(self) -> Any:
        self.seen["moment"] += 1
        return self.talk.session.moment_over(self.talk.moments.pop(0))

    def _owe(self, action: Any) -> None:
        def done() -> Any:
            self.owed.remove(done)
            return action()

        self.owed.append(done)

    def _perform(self, command: commands.Command) -> None:
        session = self.talk.session
        match command:
            case commands.Connect():
                self._owe(self._connected)
            case commands.StartTls():
                self._owe(lambda: session.handshake_failed("no") if self._rarely() else session.encrypted("postgresql"))
            case commands.Verify() | commands.Challenge() | commands.Redeem() | commands.IssueTicket():
                self._owe(lambda: self._judged(command))
            case commands.RefreshCatalog():
                self._owe(session.catalog_read)
            case commands.AwaitCatalog():
                self._owe(self._awaited)
            case commands.CloseDoor(alone):
                self._owe(lambda: self._closed_door(alone))
            case commands.AskApproval(ticket):
                self._owe(lambda: self._holder_answers(ticket, uses=True))
            case commands.AwaitApproval(ticket):
                self._owe(lambda: self._holder_answers(ticket, uses=False))
            case commands.CatalogStale():
                self._owe(self._read)
            case commands.Close():
                self.closed = True
            case _:
                self._perform_for_context(command)

    def _perform_for_context(self, command: commands.Command) -> None:
        match command:
            case commands.VerifyContext(ticket):
                self._owe(lambda: self._context_verified(ticket))
            case commands.AwaitRules():
                self._owe(self._rules_made)

    @property
    def let_through(self) -> int:
        """How many Queries that are held reached the server."""
        return sum(self.server.queries.count(query(f"DELETE {word}")) for word in HOLDINGS)

    def _check(self) -> None:
        """Each session that began ended, and each statement that was recorded has one outcome."""
        events = [event for event in self.talk.events if event.get("statement") not in self.lost]
        told = [event.get("outcome") or event["event"] for event in events if event["kind"] in ("login", "session")]
        assert told in ([], ["refused"], ["accepted", "end"])
        intents = [event["statement"] for event in events if event["kind"] == "intent"]
        outcomes = [event["statement"] for event in events if event["kind"] == "outcome"]
        assert len(set(intents)) == len(intents)
        assert SHOW not in self.server.queries, "the server heard of a ticket"
        assert self.let_through <= self.granted, "a held statement ran without an approval of its own"
        assert not {query(SET), query(f"BEGIN; {SET}")}.intersection(self.server.queries), "a token went on"
        assert Counter(outcomes) == Counter(intents)


@BATCHES
def test_no_conversation_ends_in_anything_but_words(batch: int) -> None:
    ends: Counter[State | str] = Counter()
    seen: Counter[str] = Counter()
    rested: Counter[State] = Counter()
    for number in range(batch * EACH, (batch + 1) * EACH):
        play = Play(number)
        try:
            play.run()
        except Exception as error:
            raise AssertionError(f"conversation {number}: {error!r}") from error
        seen["let through"] += play.let_through
        ends["closed by the gate" if play.closed else "to the end"] += 1
        seen += play.seen
        rested.update(play.rested)
    # Both happen, or the conversations are no good.
    assert min(ends.values()) > EACH // 20, ends
    happened = (
        "doubt", "door", "late", "token", "proof", "ticket", "holder", "let through", "context", "own again", "moment",
    )  # fmt: skip
    assert min(seen[one] for one in happened) > EACH // 300, seen
    assert min(rested[state] for state in State) > EACH // 200, rested
