"""What gates and the collector say of tickets: names, what is taken, and identities that come back as they were."""

from __future__ import annotations

import json
from typing import Any

import pytest

from penstock_core.identity import Identity, Principal, Workload
from penstock_core.tickets.ticket import Bearer, Judged, Made, Proved, Salt, encoded, is_name, name_of, secret_of

ISSUER = "https://login.example"
ADA = Principal("person", "ada", ISSUER, ("dba", "support"))
BOT, PLANNER = Principal("agent", "bot", ISSUER, ("bots",)), Principal("agent", "planner", "https://other.example")


def made(**changes: Any) -> Made:
    values = {
        "database": "shop", "bearer": Bearer.of(Identity(principal=ADA), 2_000_000_000_000), "seconds": 300,
        "until_ms": 1_900_000_000_000,
        "stored_key": encoded(bytes(32)), "server_key": encoded(bytes(32)), **changes,
    }  # fmt: skip
    return Made.model_validate(values)


def test_names_and_secrets_are_random_and_need_no_escaping() -> None:
    name = name_of(bytes(range(16)))
    assert is_name(name)
    assert (name, secret_of(bytes(range(20)))) == ("ticket-aaaqeayeaudaocajbifq", "aaaqeayeaudaocajbifqydiob4ibceqt")
    assert name_of(b"\xff" * 16) != name


@pytest.mark.parametrize(
    "name",
    [
        "", "ticket", "ticket-", "ticket-office", "TICKET-AAAQEAYEAUDAOCAJBIFQ", "ticket-aaaqeayeaudaocajbif",
        "ticket-aaaqeayeaudaocajbifqa", "ticket-aaaqeayeaudaocajbif1", " ticket-aaaqeayeaudaocajbifq",
        "ticket-aaaqeayeaudaocajbifq\n", "ticket-aaaqeayeaudaocajbi/q", "xticket-aaaqeayeaudaocajbifq",
    ],
)  # fmt: skip
def test_other_names_are_no_tickets(name: str) -> None:
    assert not is_name(name)


@pytest.mark.parametrize(
    "identity",
    [
        Identity(principal=ADA),
        Identity(principal=Principal("service", "cron", ISSUER)),
        Identity(principal=BOT, acts_for=(PLANNER, ADA)),
        Identity(principal=BOT, acts_for=(ADA,)),
    ],
)
def test_a_bearer_comes_back_as_it_was_and_in_the_pod_that_takes_the_ticket(identity: Identity) -> None:
    bearer = Bearer.read(Bearer.of(Identity(Workload("shop", "web", "web-1"), *parts(identity)), 9).written())
    other = Workload("shop", "web", "web-2", "u-2")
    assert bearer.identity(other) == Identity(other, *parts(identity))
    assert (bearer.identity(None), bearer.until_ms) == (identity, 9)


def parts(identity: Identity) -> Any:
    return identity.principal, identity.acts_for


def test_a_bearer_has_all_groups_of_the_largest_token() -> None:
    groups = tuple(f"group-{number}" for number in range(4096))
    bearer = Bearer.of(Identity(principal=Principal("person", "ada", ISSUER, groups)), 9)
    assert Bearer.read(bearer.written()).party.groups == groups


def test_nobody_gets_no_ticket() -> None:
    with pytest.raises(ValueError, match="nobody proved anything"):
        Bearer.of(Identity(Workload("shop", "web")), 9)


def changed(path: str, value: Any) -> bytes:
    document = json.loads(made().written())
    *inner, last = path.split(".")
    target = document
    for name in inner:
        target = target[name]
    target[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "the body"),
        (b"[]", "the body"),
        (b"{" * 10_000, "the body"),
        (changed("seconds", 0), "seconds"),
        (changed("seconds", 301), "seconds"),
        (changed("seconds", 1.5), "seconds"),
        (changed("database", ""), "database"),
        (changed("storedKey", encoded(bytes(31))), "a key is of 32 bytes"),
        (changed("serverKey", encoded(bytes(33))), "a key is of 32 bytes"),
        (changed("storedKey", "="), "the body"),
        (changed("storedKey", "§"), "storedKey"),
        (changed("secret", "x"), "secret"),
        (changed("bearer.untilMs", 1 << 53), "untilMs"),
        (changed("bearer.party.kind", "god"), "kind"),
        (changed("bearer.party.subject", ""), "subject"),
        (changed("bearer.actsFor", [{"kind": "person", "subject": "b", "issuer": "i"}]), "only an agent acts"),
        (changed("bearer.actsFor", [{"kind": "person", "subject": "b", "issuer": "i"}] * 9), "actsFor"),
    ],
)
def test_what_is_not_a_ticket_is_not_taken_and_not_repeated(body: bytes, word: str) -> None:
    with pytest.raises(ValueError, match=word) as caught:
        Made.read(body)
    assert "§" not in str(caught.value)


def test_what_is_proved_is_bounded() -> None:
    assert Proved(databases=("shop",), exchange=encoded(b"a,b"), proof=encoded(b"p")).raw == (b"a,b", b"p")
    with pytest.raises(ValueError, match="exchange"):
        Proved.read(json.dumps({"databases": ["shop"], "exchange": "A" * 40_000, "proof": ""}).encode())


@pytest.mark.parametrize(
    "document",
    [
        {"standing": "granted"},
        {"standing": "granted", "made": {}},
        {"standing": "used", "made": json.loads(made().written())},
        {"standing": "maybe"},
    ],
)
def test_an_answer_grants_to_somebody_or_not_at_all(document: Any) -> None:
    with pytest.raises(ValueError):
        Judged.read(json.dumps(document).encode())


NAME, KEY = "ticket-aaaqeayeaudaocajbifq", b"k" * 32
ELSE: dict[str, Any] = {
    "database": "payroll", "seconds": 299, "untilMs": 1, "storedKey": encoded(b"x" * 32),
    "serverKey": encoded(b"x" * 32), "bearer.untilMs": 1, "bearer.party.subject": "eve", "bearer.party.kind": "agent",
    "bearer.party.issuer": "https://evil.example", "bearer.party.groups": ["dba"],
    "bearer.party.groups.0": "owners", "seal": encoded(b"x" * 32),
}  # fmt: skip


def test_a_seal_is_known_again() -> None:
    sealed = made().sealed(NAME, KEY)
    assert Made.read(sealed.written()).is_sealed(NAME, KEY)
    assert not sealed.is_sealed(NAME, b"l" * 32)
    assert not sealed.is_sealed("ticket-bbbbbbbbbbbbbbbbbbbb", KEY)
    assert not made().is_sealed(NAME, KEY)


@pytest.mark.parametrize("path", [*ELSE, "bearer.actsFor"])
def test_nothing_of_a_ticket_can_be_changed_under_its_seal(path: str) -> None:
    document = json.loads(made().sealed(NAME, KEY).written())
    *inner, last = path.split(".")
    target: Any = document
    for name in inner:
        target = target[int(name) if name.isdecimal() else name]
    if path == "bearer.actsFor":
        document["bearer"]["party"]["kind"] = "agent"
        target[last] = [{"kind": "person", "subject": "bea", "issuer": ISSUER}]
    else:
        target[int(last) if last.isdecimal() else last] = ELSE[path]
    assert not Made.read(json.dumps(document).encode()).is_sealed(NAME, KEY)


@pytest.mark.parametrize("iterations", [0, 4095, 100_001, 10**9])
def test_a_salt_with_odd_iterations_is_not_taken(iterations: int) -> None:
    assert Salt(salt=encoded(b"x" * 16), iterations=4096).raw == b"x" * 16
    with pytest.raises(ValueError, match="iterations"):
        Salt.read(json.dumps({"salt": "AAAA", "iterations": iterations}).encode())
