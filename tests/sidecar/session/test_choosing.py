"""Which of several databases a client gets, by a table of what there is; and that no answer tells of the others."""

from __future__ import annotations

from itertools import product

import pytest
from tests.sidecar.session.conversation import Conversation, greeting

from penstock_core.identity import Identity, Principal
from penstock_core.policy.revocation import by_policy
from penstock_sidecar.session import commands
from penstock_sidecar.session.choosing import Candidate, SessionDatabase, choose, told
from penstock_sidecar.session.commands import ProxyConfig
from penstock_sidecar.session.door import Door
from penstock_sidecar.session.refusals import fatal
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import ErrorFields

SHOP = Candidate("shop", "shop_live", open=True)
STAFF = Candidate("staff", "people", open=True)
PAY = Candidate("pay", "payroll", open=False)
TEST = Candidate("shop-test", "app", open=True)
LIVE = Candidate("shop-live", "app", open=True)
HIDDEN = Candidate("hidden", "app", open=False)
LATE = Candidate("late", None)
GONE = Candidate("gone", None, absent=True)

LATER = "try again in a moment; a Database with policies is found by its own name"

# What is asked for, what there is, and what comes of it: a name, or SQLSTATE and the hint.
TABLE: dict[str, tuple[str, list[Candidate], str | tuple[str, str]]] = {
    "its own name": ("shop", [SHOP, STAFF], "shop"),
    "the server's name": ("people", [SHOP, STAFF], "staff"),
    "an unknown name": ("template1", [SHOP, STAFF], ("3D000", "set dbname to one of shop, staff")),
    "nothing else to choose": ("template1", [SHOP, PAY], ("3D000", "set dbname to shop")),
    "nothing at all": ("template1", [PAY], ("3D000", "ask who administers the policies")),
    "no databases": ("shop", [], ("3D000", "ask who administers the policies")),
    "one that is not for the client": ("pay", [SHOP, PAY], ("3D000", "set dbname to shop")),
    "the same by the server's name": ("payroll", [SHOP, PAY], ("3D000", "set dbname to shop")),
    "a server's name that two have": (
        "app", [TEST, LIVE, SHOP], ("3D000", "set dbname to one of shop-live, shop-test"),
    ),
    "of which the client may use one": ("app", [TEST, HIDDEN], ("3D000", "set dbname to shop-test")),
    "its own name before a server's": ("app", [Candidate("app", "other", open=True), TEST], "app"),
    "its own name, though it is another's server's name": ("app", [Candidate("app", "app", open=True), TEST], "app"),
    "its own name, closed, is no way to another": (
        "app", [Candidate("app", "other", open=False), TEST], ("3D000", "set dbname to shop-test"),
    ),
    "capitals": ("Shop", [SHOP], ("3D000", "set dbname to shop")),
    "one without policies so far": ("late", [SHOP, LATE], ("57P03", LATER)),
    "its own name while another has no policies": ("shop", [SHOP, LATE], "shop"),
    "a server's name while another has no policies": (
        "shop_live", [SHOP, LATE], ("57P03", LATER),
    ),
    "and one that nobody has": (
        "nonsense", [SHOP, LATE], ("57P03", LATER),
    ),
    "one that is not there": ("gone", [SHOP, GONE], ("3D000", "set dbname to shop")),
    "its own name, not there, is no way to another": (
        "gone", [Candidate("other", "gone", open=True), GONE], ("3D000", "set dbname to other"),
    ),
    "a server's name while another is not there": ("shop_live", [SHOP, GONE], "shop"),
    "nothing": ("", [SHOP, LATE, GONE], ("57P03", LATER)),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "there", "expected"), TABLE.values(), ids=TABLE)
def test_what_a_client_gets(asked: str, there: list[Candidate], expected: str | tuple[str, str]) -> None:
    for candidates in (there, there[::-1]):
        found = choose(asked, candidates)
        if isinstance(found, ErrorFields):
            assert (found.sqlstate, found.hint) == expected
            assert found.severity == "FATAL"
        else:
            assert found.name == expected


def test_while_policies_are_missing_nobody_learns_whether_the_name_is_one_of_theirs() -> None:
    refused = {
        asked: choose(asked, [SHOP, PAY, LATE])
        for asked in ("late", "none", "pay", "payroll", "shop_live", "shop_dead")
    }
    texts = {told_.message.replace(asked, "…") for asked, told_ in refused.items() if isinstance(told_, ErrorFields)}
    assert len(texts) == 1
    # One that is missing keeps its name from being taken for another's.
    late = choose("late", [LATE, Candidate("other", "late", open=True)])
    assert isinstance(late, ErrorFields)


@pytest.mark.parametrize("asked", ["pay", "payroll", "nothing"])
def test_one_that_is_not_for_the_client_is_as_if_it_were_not_there(asked: str) -> None:
    closed = [Candidate("pay", "payroll"), Candidate("pay2", "payroll"), Candidate("pay3", "other")]
    for known, more in product((SHOP, STAFF, TEST), ([], [HIDDEN], closed)):
        without, with_it = choose(asked, [known]), choose(asked, [known, *more])
        assert isinstance(without, ErrorFields)
        assert with_it == without


def test_names_are_told_in_one_line_and_not_all_of_them() -> None:
    refused = choose("x\ny\x1b[31m\u2028" + "z" * 5000, [SHOP])
    assert isinstance(refused, ErrorFields)
    assert refused.message.isprintable()
    assert len(refused.message) < 200
    assert told("a" * 63) == "a" * 63
    assert told("ä" * 64) == "ä" * 63 + "…"
    many = choose("x", [Candidate(f"db{number:02}", "d", open=True) for number in range(20)])
    assert isinstance(many, ErrorFields)
    assert many.hint == "set dbname to one of db00, db01, db02, db03, db04, db05, db06, db07 (and 12 more)"


def test_a_name_longer_than_the_server_knows_is_no_other_name() -> None:
    long = Candidate("long", "n" * 63, open=True)
    assert isinstance(choose("n" * 64, [long]), ErrorFields)
    assert choose("n" * 63, [long]) == long


ADA = Identity(principal=Principal("person", "ada", "https://issuer.example", ("support",)))


def asked_for(dbname: str, doors: dict[str, Door]) -> Conversation:
    """A client of a gate with these databases has named one, and its token is good."""

    def chosen(asked: str, identity: Identity) -> SessionDatabase | ErrorFields:
        assert identity == ADA
        door = doors.get(asked)
        return fatal("3D000", "there is none") if door is None else SessionDatabase(asked, f"{asked}_live", door)

    talk = Conversation(open_=False, config=ProxyConfig("", token="always", choose=chosen))
    talk.client(messages.startup({"user": "me", "database": dbname}))
    # Whatever it names, it has to say who it is first.
    talk.reaches_client(messages.AUTHENTICATION_CLEARTEXT)
    talk.client(messages.password(b"the token"))
    assert talk.rest == [commands.Verify("the token")]
    assert talk.session.database == ""
    return talk.did(talk.session.identified(ADA))


def test_a_session_is_with_what_its_client_chose_and_no_other() -> None:
    doors = {"shop": Door(), "staff": Door()}
    talk = asked_for("staff", doors)
    (connect,) = talk.rest
    assert isinstance(connect, commands.Connect)
    assert talk.session.database == "staff"
    talk.did(talk.session.connected(talk.rules(), greeting()))
    (began,) = talk.events
    assert (began["database"], began["client"]["database"]) == ("staff", "staff_live")
    assert talk.flow.door is doors["staff"]


def test_a_session_without_a_database_does_not_begin() -> None:
    talk = asked_for("nothing", {"shop": Door()})
    talk.client_reads_error("3D000", "there is none")
    assert talk.rest == [commands.Close("penstock: there is none")]
    assert talk.session.state is State.CLOSED
    (refused,) = talk.events
    assert (refused["kind"], refused["outcome"], refused["database"], refused["sqlstate"]) == (
        "login", "refused", "", "3D000",
    )  # fmt: skip


def test_whoever_is_revoked_before_the_session_began_is_on_record_with_the_database() -> None:
    talk = asked_for("shop", {"shop": Door()})
    talk.did(talk.session.revoked(by_policy("stop")))
    (refused,) = talk.events
    assert (refused["outcome"], refused["database"], refused["policy"]) == ("refused", "shop", "stop")
