"""Which texts ask for access, and what they say; all others are left to be decided by the rules."""

from __future__ import annotations

import pytest

from penstock_core.approvals.asking import Answered
from penstock_core.sql.decision import Denial
from penstock_sidecar.session.access_wish import ASKED, Wish, decided, notice, refused, wished

ASKING = {
    "SET penstock.access = 'incident for 1h: orders hang'": Wish("incident", "1h", "orders hang", False),
    "set penstock.access to 'a.b-c for 1h30m:x'": Wish("a.b-c", "1h30m", "x", False),
    "SET SESSION penstock . access='incident for 1h : the ''shop'' is down\nand so on' ; ": Wish(
        "incident", "1h", "the 'shop' is down\nand so on", False
    ),
    "\n  SET penstock.access = 'incident for 1h: x'": Wish("incident", "1h", "x", False),
    "SET PENSTOCK.BREAK_GLASS = 'incident for 5m: now'": Wish("incident", "5m", "now", True),
}


@pytest.mark.parametrize(("text", "wish"), ASKING.items())
def test_what_a_text_asks_for(text: str, wish: Wish) -> None:
    assert decided(text) is ASKED
    assert wished(text) == wish


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SET search_path = public",
        "SET penstock.accessory = 'incident for 1h: x'",
        "SET LOCAL penstock.access = 'incident for 1h: x'",
        "SET penstock.access = incident",
        "SET penstock.access = 'incident for 1h: x'; DROP TABLE orders",
        "SET penstock.access = 'a', 'b'",
        " SELECT 1",
        "\n",
        "SHOW penstock.access",
        "SET penstock.access = E'incident for 1h: x'",
        "",
    ],
)
def test_other_texts_ask_for_nothing(text: str) -> None:
    assert decided(text) is None


@pytest.mark.parametrize(
    "said", ["", "incident", "incident 1h: x", "Incident for 1h: x", "incident for 1d: x", "a for 1h:"]
)
def test_what_is_not_understood_is_refused(said: str) -> None:
    text = f"SET penstock.access = '{said}'"
    assert decided(text) is ASKED
    assert isinstance(wished(text), Denial)


def test_nothing_of_what_was_said_goes_to_the_server_or_the_trail() -> None:
    assert "orders" not in ASKED.text + ASKED.audit_text


def test_the_client_is_told_what_came_of_it() -> None:
    wish = ASKING["SET penstock.access = 'incident for 1h: orders hang'"]
    waits = Answered.model_validate({"standing": "waiting", "request": "r-1", "expiresAt": "2030-01-01T00:00:00Z"})
    assert "waits for approval" in notice(wish, waits).message
    denied = Answered.model_validate({"standing": "denied", "request": "r-1", "decidedBy": "bea", "comment": "not now"})
    assert "was denied by bea" in refused(wish, denied).reason
    assert "not now" in refused(wish, denied).told
