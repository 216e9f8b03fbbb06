"""Every message that the framing lets in has its fields claimed, and every claim holds."""

from __future__ import annotations

import importlib
import struct

import pytest
from tests.sidecar.session.conversation import PARSED, READY, Conversation, deny, error, run, sync

from penstock_core.sql.decision import Decision
from penstock_sidecar.session import commands
from penstock_sidecar.session.client_side import ClientSide
from penstock_sidecar.session.message_fields import EMPTY, MESSAGES, OPENING
from penstock_sidecar.session.refusals import FAILING_TEXT
from penstock_sidecar.session.states import State
from penstock_sidecar.wire.framing import FROM_CLIENT, Look
from penstock_sidecar.wire.messages import bind, execute, message, parse, query


def oids(*numbers: int) -> bytes:
    return struct.pack(f">H{len(numbers)}I", len(numbers), *numbers)


def test_every_message_of_the_framing_is_in_the_table_and_no_other() -> None:
    kinds = {bytes([kind]) for kind in range(256) if FROM_CLIENT[kind] != Look.UNKNOWN}
    assert kinds == MESSAGES.keys()
    handled = {bytes([kind]) for kind in ClientSide(Conversation().flow, "", 0)._handlers}
    # CopyData alone is never looked at.
    assert handled == kinds - {b"d"}


@pytest.mark.parametrize("kind", sorted(set(range(256)) - {one[0] for one in MESSAGES}))
def test_every_other_type_ends_the_session(kind: int) -> None:
    talk = Conversation()
    talk.client(message(bytes([kind]), b"")).reaches_server().client_reads_error("08P01")
    assert talk.session.state is State.CLOSED


def claims() -> list[tuple[str, str]]:
    tables = [*MESSAGES.values(), *OPENING.items()]
    return [(f"{name}: {one.name}", one.by) for name, fields in tables for one in fields if one.claim == "checked"]


@pytest.mark.parametrize(("field", "by"), claims())
def test_what_is_checked_is_checked_by_what_is_there(field: str, by: str) -> None:
    module, _, path = by.partition(":")
    found: object = importlib.import_module(f"penstock_sidecar.session.{module}")
    for name in path.split("."):
        found = getattr(found, name)
    assert callable(found), field


def test_every_claim_says_why() -> None:
    for _, fields in MESSAGES.values():
        assert all(len(one.by) > 10 for one in fields)


@pytest.mark.parametrize("kind", sorted(EMPTY))
def test_nothing_is_smuggled_in_an_empty_message(kind: int) -> None:
    talk = Conversation()
    talk.client(message(bytes([kind]), b"\x00")).reaches_server().client_reads_error("08P01", "should be empty")


@pytest.mark.parametrize(
    "tail",
    [
        b"", b"\x00", b"\x00\x01", b"\x00\x00\x00", b"\x00\x01\x00\x00\x00", b"\x00\x00\x00\x00\x00\x17",
        b"\x00\x02\x00\x00\x00\x17", b"\xff\xff\x00\x00\x00\x17", oids(23) + b"\x00", oids(23, 23)[:-1],
    ],
)  # fmt: skip
def test_a_count_of_types_that_lies_ends_the_session(tail: bytes) -> None:
    talk = Conversation()
    talk.client(message(b"P", b"\x00SELECT $1\x00" + tail)).reaches_server()
    talk.client_reads_error("08P01", "Parse message of the wrong length")


@pytest.mark.parametrize("kind", [b"D", b"C"])
@pytest.mark.parametrize("body", [b"", b"S", b"X\x00", b"\x00\x00", b"Sname", b"Pname\x00more", b"P\x00\x00"])
def test_a_describe_or_close_of_something_else_ends_the_session(kind: bytes, body: bytes) -> None:
    Conversation().client(message(kind, body)).reaches_server().client_reads_error("08P01")


class Typed(Conversation):
    """Where a type with the number 4711 is refused."""

    def __init__(self, **more: bool) -> None:
        super().__init__()
        decide = self.book.decide

        def by_type(
            text: str, path: tuple[str, ...] | None, temporary: frozenset[str], types: tuple[int, ...] = (),
            made: frozenset[tuple[str, str]] = frozenset(),
        ) -> Decision:  # fmt: skip
            plain = decide(text, path, temporary, types)
            return deny("type app.coded runs code", **more) if 4711 in types else plain

        self.book.decide = by_type  # type: ignore[method-assign,assignment]


@pytest.mark.parametrize("types", [(4711,), (0, 4711), (23, 25, 4711), (4711, 4711)])
def test_declared_types_are_decided_about_with_the_text(types: tuple[int, ...]) -> None:
    talk = Typed()
    talk.client(parse("", "SELECT $1", oids(*types)), run(), sync())
    assert talk.to_server.startswith(parse("", FAILING_TEXT))
    assert oids(*types) not in talk.to_server
    talk.server(error("42703"), READY).client_reads_error("42501", "runs code", READY)
    assert talk.kinds() == ["intent deny", "outcome denied"]


def test_types_that_are_left_out_are_none() -> None:
    talk = Typed()
    for tail in (oids(), oids(0), oids(0, 0)):
        sent = parse("", "SELECT $1", tail)
        talk.client(sent, sync()).reaches_server(sent, sync()).server(PARSED, READY)
        assert talk.book.types == ()


def test_types_are_decided_about_again_wherever_the_text_is() -> None:
    talk = Conversation()
    talk.client(parse("s", "SELECT $1", oids(25)), sync()).server(PARSED, READY)
    talk.new_rules({})
    talk.client(bind("", "s"), execute(""))
    assert talk.book.types == (25,)


def test_a_type_that_the_catalog_lacks_has_it_read_once() -> None:
    talk = Typed(unknown_names=True)
    sent = parse("", "SELECT $1", oids(4711))
    talk.client(sent, query("SELECT 1")).reaches_server()
    assert talk.rest == [commands.RefreshCatalog()]
    talk.did(talk.session.catalog_read()).reaches_server(parse("", FAILING_TEXT), query("SELECT 1"))
