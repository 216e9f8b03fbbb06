"""A conversation with the session's machine: say what client and server send, expect what each gets. No socket."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from penstock_core.audit.event import Event
from penstock_core.identity import Identity, Workload
from penstock_core.sql.decision import Action, Decision, Denial
from penstock_sidecar.session import commands
from penstock_sidecar.session.commands import Command, ProxyConfig, SessionInfo, SessionRules
from penstock_sidecar.session.door import Door
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.machine import Session
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.login import Greeting
from penstock_sidecar.wire.messages import ErrorFields

WEB = Identity(Workload("shop", "web", "web-1", "u-1"))
NONCE = "nonce"
NOBODY = f"penstock_{NONCE}"

# What servers say.
READY, READY_IN, READY_FAILED = messages.ready(b"I"), messages.ready(b"T"), messages.ready(b"E")
PARSED, BOUND, CLOSED = (messages.message(kind, b"") for kind in (b"1", b"2", b"3"))
NO_DATA, SUSPENDED, EMPTY = (messages.message(kind, b"") for kind in (b"n", b"s", b"I"))
COPY_IN, COPY_OUT = messages.message(b"G", b"\x00\x00\x00"), messages.message(b"H", b"\x00\x00\x00")
COPY_DONE = messages.message(b"c", b"")
ROW = messages.message(b"D", b"\x00\x01\x00\x00\x00\x011")


def greeting(**parameters: str) -> Greeting:
    return Greeting(parameters, 77, b"theirs")


def complete(tag: str) -> bytes:
    return messages.message(b"C", tag.encode() + b"\x00")


def error(sqlstate: str, text: str = "words of the server", severity: str = "ERROR") -> bytes:
    return messages.error_response(ErrorFields(severity, sqlstate, text, "Key (email)=(ada@example.com)."))


def counts(changed: int, *, on: bool = True) -> bytes:
    """The row that tells how many rows were changed so far, in one table."""
    values = (b"on" if on else b"off", b"16400:%d" % changed)
    return messages.message(b"D", b"\x00\x02" + b"".join(len(one).to_bytes(4, "big") + one for one in values))


def settings(**values: str) -> bytes:
    """The row that tells the settings of a session."""
    text = json.dumps({"search_path": "public", "role": "none", **values}).encode()
    return messages.message(b"D", b"\x00\x01" + len(text).to_bytes(4, "big") + text)


def plan(rows: int, cost: float = 5.5) -> bytes:
    """The row that tells a plan."""
    text = json.dumps([{"Plan": {"Node Type": "Scan", "Total Cost": cost, "Plan Rows": rows}}]).encode()
    return messages.message(b"D", b"\x00\x01" + len(text).to_bytes(4, "big") + text)


def copy_data(data: bytes) -> bytes:
    return messages.message(b"d", data)


def sync() -> bytes:
    return messages.SYNC


def run(name: str = "", portal: str = "") -> bytes:
    """Bind and Execute."""
    return messages.bind(portal, name) + messages.execute(portal)


def allow(text: str, **more: Any) -> Decision:
    return Decision(Action.ALLOW, text, verbs=(text.split(maxsplit=1)[0].lower(),) if text.split() else (), **more)


def rewrite(text: str, **more: Any) -> Decision:
    return Decision(Action.REWRITE, text, verbs=("select",), **more)


def deny(reason: str = "no", **more: Any) -> Decision:
    return Decision(Action.DENY, "", verbs=("select",), denial=Denial(reason, "do otherwise", **more))


@dataclass
class Book:
    """A decider that reads from a book; what is not in it is allowed."""

    entries: dict[str, Decision] = field(default_factory=dict)

    def decide(
        self, text: str, search_path: tuple[str, ...] | None, temporary: frozenset[str], types: tuple[int, ...] = (),
        made: frozenset[tuple[str, str]] = frozenset(),
    ) -> Decision:  # fmt: skip
        self.path, self.temporary, self.types, self.made = search_path, temporary, types, made
        return self.entries.get(text) or allow(text)

    def names(self, schema: str, table: str, column: str, constraint: str) -> bool:
        return table == "open"

    def alike(self, one: Decision, other: Decision) -> bool:
        return "other" not in other.text

    def hears(self, channel: str) -> bool:
        return not channel.startswith("governed")


@dataclass
class Trail:
    refusal: str = ""


class Conversation:
    """One session, and what it said last."""

    def __init__(
        self, entries: dict[str, Decision] | None = None, *, on_failure: Any = "continue",
        config: ProxyConfig | None = None, open_: bool = True, observing: bool = False, masked: bool = False,
        door: Door | None = None,
    ) -> None:  # fmt: skip
        self.book = Book(entries or {})
        self.trail = Trail()
        self.now = 0
        self.on_failure = on_failure
        self.observing = observing
        self.masked = masked
        self.events: list[Event] = []
        # Of batches that are reported, and of those that wait for a moment.
        self.tickets: list[int] = []
        self.moments: list[int] = []
        self.to_server = self.to_client = b""
        self.rest: list[Command] = []
        info = SessionInfo("s-1", "10.1.2.3:4", bytes(range(32)), NONCE)
        self.config = config or ProxyConfig("shop", "shop", workload=WEB)
        self.session = Session(self.config, info, self.trail, lambda: self.now, door)
        if open_:
            self.client(messages.startup({"user": "app", "database": "shop"}))
            (connect,) = self.rest
            assert isinstance(connect, commands.Connect)
            self.did(self.session.connected(self.rules(), greeting(server_version="18.0")))
            assert self.to_client.endswith(READY)
            self.events.clear()

    def rules(self, policy: object = "one", statement_timeout: int | None = None) -> SessionRules:
        return SessionRules(
            self.book, self.on_failure, ("public",), b"key", policy, self.observing, statement_timeout, self.masked
        )

    @property
    def flow(self) -> Flow:
        """What a session that runs keeps."""
        assert self.session._running is not None
        return self.session._running.flow

    def did(self, answer: list[Command]) -> Conversation:
        if self.session.fault is not None:
            raise self.session.fault
        self.to_server = self.to_client = b""
        self.rest = []
        for command in answer:
            match command:
                case commands.ToServer(data):
                    self.to_server += data
                case commands.ToClient(data):
                    self.to_client += data
                case commands.Record(ticket, bodies, report):
                    self.events += bodies
                    if report:
                        self.tickets.append(ticket)
                case commands.AwaitMoment(ticket):
                    self.moments.append(ticket)
                case _:
                    self.rest.append(command)
        return self

    def client(self, *parts: bytes) -> Conversation:
        self.now += 10
        return self.did(self.session.client_bytes(b"".join(parts)))

    def server(self, *parts: bytes) -> Conversation:
        self.now += 10
        return self.did(self.session.server_bytes(b"".join(parts)))

    def reaches_server(self, *parts: bytes) -> Conversation:
        assert self.to_server == b"".join(parts)
        return self

    def reaches_client(self, *parts: bytes) -> Conversation:
        assert self.to_client == b"".join(parts)
        return self

    def client_reads_error(self, sqlstate: str, words: str = "", then: bytes = b"") -> Conversation:
        assert self.to_client.endswith(then)
        fields = messages.read_error(self.to_client[5 : len(self.to_client) - len(then)])
        assert fields.sqlstate == sqlstate
        assert words in fields.message
        return self

    def durable(self) -> Conversation:
        """What was recorded last is durable."""
        return self.did(self.session.durable(self.tickets[-1]))

    def new_rules(self, entries: dict[str, Decision], policy: object = "another") -> Conversation:
        self.book = Book(entries)
        return self.did(self.session.rules_replaced(self.rules(policy)))

    def kinds(self) -> list[str]:
        told = ("result", "decision", "outcome", "event", "request")
        return [f"{event['kind']} {next(event[name] for name in told if name in event)}" for event in self.events]
