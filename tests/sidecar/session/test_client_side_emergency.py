"""Conversations: in an emergency the values of parameters go on record, however long they are and however they come."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.sidecar.proxy.raw import bind
from tests.sidecar.session.conversation import BOUND, PARSED, READY_IN, Conversation, allow, complete, sync
from tests.sidecar.session.test_former_access import grant

from penstock_core.audit.event import Event
from penstock_sidecar.session.parameter_values import MOST
from penstock_sidecar.wire.messages import execute, parse, query

TEXT = "UPDATE t SET note = $1 WHERE id = $2"
GLASS = grant("r-glass").model_copy(update={"break_glass": True})


def emergency(talk: Conversation) -> Conversation:
    return talk.did(talk.session.rules_replaced(replace(talk.rules(), access=(GLASS,))))


def intent(talk: Conversation) -> Event:
    (found,) = [one for one in talk.events if one["kind"] == "intent"]
    return found


@pytest.mark.parametrize("piece", [1, 1000, 8192, 1 << 20])
@pytest.mark.parametrize("length", [10, 8_150, 8_200, 30_000, 65_480])
def test_of_a_bind_up_to_64_kb_all_is_recorded(length: int, piece: int) -> None:
    talk = emergency(Conversation({TEXT: allow(TEXT, writes=True)}))
    talk.client(parse("", TEXT))
    sent = bind("", "", [b"n" * length, b"7"]) + execute("") + sync()
    reached = talk.to_server
    for at in range(0, len(sent), max(piece, len(sent) // 500)):
        reached += talk.client(sent[at : at + max(piece, len(sent) // 500)]).to_server
    assert intent(talk)["values"] == ["n" * length, "7"]
    assert "valuesCut" not in intent(talk)
    assert reached == parse("", TEXT) + sent


@pytest.mark.parametrize("values", [[b"7", b"n" * 70_000], [b"n" * 200_000, b"7"]])
def test_of_a_longer_one_what_fits_is_recorded_and_that_there_was_more(values: list[bytes]) -> None:
    talk = emergency(Conversation({TEXT: allow(TEXT, writes=True)}))
    sent = bind("", "", values) + execute("") + sync()
    talk.client(parse("", TEXT), sent).reaches_server(parse("", TEXT), sent)
    kept = "".join(intent(talk)["values"])
    assert MOST - 100 < len(kept) <= MOST
    assert kept == b"".join(values).decode()[: len(kept)]
    assert intent(talk)["valuesCut"] is True


def test_no_number_of_formats_hides_that_there_were_values() -> None:
    talk = emergency(Conversation({TEXT: allow(TEXT, writes=True)}))
    talk.client(parse("", TEXT), bind("", "", [b"n", b"7"], formats=[0] * 32_767), execute(""), sync())
    assert intent(talk)["valuesCut"] is True


def test_what_was_bound_before_it_began_is_told_to_have_had_values() -> None:
    talk = Conversation({TEXT: allow(TEXT)})
    talk.client(query("BEGIN"), parse("", TEXT), bind("c", "", [b"n", b"7"]))
    talk.server(complete("BEGIN"), READY_IN, PARSED, BOUND)
    talk.events.clear()
    emergency(talk).client(execute("c"), sync())
    assert (intent(talk)["values"], intent(talk)["valuesCut"]) == ([], True)


def test_outside_of_an_emergency_no_value_is_recorded() -> None:
    talk = Conversation({TEXT: allow(TEXT)})
    talk.client(parse("", TEXT), bind("", "", [b"n", b"7"]), execute(""), sync())
    assert "values" not in intent(talk)
    assert intent(talk)["parameters"] == 2
