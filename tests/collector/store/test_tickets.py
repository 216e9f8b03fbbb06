"""Tickets in the store: used once, ended for good, bounded, and forgotten after a while."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from penstock_collector.store import tickets
from penstock_collector.store.database import _STEPS, SCHEMA_VERSION, open_for_writing
from penstock_core.identity import Identity, Principal
from penstock_core.tickets.ticket import MOST_TRIES, Bearer, Judged, Made, Proved, encoded
from penstock_core.tickets.verifier import Verifier, _hmac

NOON = 1_900_000_000.0
NAME, OTHER = "ticket-aaaaaaaaaaaaaaaaaaaa", "ticket-bbbbbbbbbbbbbbbbbbbb"
SALT = b"s" * 16


def ticket(subject: str = "ada", database: str = "shop", seconds: int = 300, groups: tuple[str, ...] = ()) -> Made:
    verifier = Verifier.of("secret", SALT)
    bearer = Bearer.of(Identity(principal=Principal("person", subject, "https://id.example", groups)), 9)
    return Made(
        database=database, bearer=bearer, seconds=seconds, until_ms=9, stored_key=encoded(verifier.stored_key),
        server_key=encoded(verifier.server_key),
    )  # fmt: skip


def proof(secret: str = "secret", database: str = "shop", exchange: bytes = b"a,b,c") -> Proved:
    """As a client makes it, by another way than the verifier."""
    import hashlib

    client_key = _hmac(hashlib.pbkdf2_hmac("sha256", secret.encode(), SALT, 4096), b"Client Key")
    signature = _hmac(hashlib.sha256(client_key).digest(), exchange)
    proved = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
    return Proved(databases=(database,), exchange=encoded(exchange), proof=encoded(proved))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_for_writing(tmp_path / "audit.db")
    yield connection
    connection.close()


def keep(store: sqlite3.Connection, name: str = NAME, made: Made | None = None, **more: Any) -> str:
    return tickets.keep(store, more.get("book", "gate gw1"), name, made or ticket(), more.get("now", NOON))


def use(store: sqlite3.Connection, name: str = NAME, proved: Proved | None = None, **more: Any) -> Judged:
    return tickets.use(store, more.get("book", "gate gw1"), name, proved or proof(), more.get("now", NOON + 1))


def test_a_ticket_is_used_once(store: sqlite3.Connection) -> None:
    assert keep(store) == "kept"
    used = use(store)
    assert used.standing == "granted"
    assert used.made == ticket()
    assert use(store).standing == "used"
    assert keep(store) == "taken", "its name is not given twice"


def test_wrong_secrets_are_counted_and_the_ticket_is_void_then(store: sqlite3.Connection) -> None:
    keep(store)
    for _ in range(MOST_TRIES - 1):
        assert use(store, proved=proof("another")).standing == "wrong"
    assert use(store).standing == "granted", "a slip is no harm"
    keep(store, OTHER)
    for _ in range(MOST_TRIES):
        assert use(store, OTHER, proof("another")).standing == "wrong"
    assert use(store, OTHER).standing == "void"
    assert use(store, OTHER, proof("another")).standing == "wrong"


def test_why_it_is_not_good_is_told_to_who_knows_the_secret_alone(store: sqlite3.Connection) -> None:
    keep(store)
    use(store)
    keep(store, OTHER)
    wrong = proof("another")
    assert use(store, NAME, wrong).standing == "wrong"
    assert use(store, OTHER, wrong, now=NOON + 300).standing == "wrong"
    assert use(store, OTHER, now=NOON + 300).standing == "expired"
    assert use(store, "ticket-cccccccccccccccccccc").standing == "wrong"


def test_what_has_expired_stays_so_if_the_clock_is_set_back(store: sqlite3.Connection) -> None:
    keep(store, made=ticket(seconds=60))
    assert use(store, now=NOON + 60).standing == "expired"
    assert use(store, now=NOON + 1).standing == "expired"


def test_it_is_good_up_to_its_last_moment(store: sqlite3.Connection) -> None:
    keep(store, made=ticket(seconds=60))
    assert use(store, now=NOON + 59.999).standing == "granted"


def test_it_is_good_at_the_gate_and_for_the_database_that_it_was_made_for(store: sqlite3.Connection) -> None:
    keep(store)
    assert use(store, book="gate gw2").standing == "wrong"
    assert use(store, proved=proof(database="payroll")).standing == "elsewhere"
    assert use(store).standing == "granted", "it was not used up by that"


def test_a_proof_of_another_exchange_is_none(store: sqlite3.Connection) -> None:
    keep(store)
    proved = proof().model_copy(update={"exchange": encoded(b"a,b,d")})
    assert use(store, proved=proved).standing == "wrong"


def test_open_tickets_of_one_bearer_are_bounded_whatever_groups_they_are_in(store: sqlite3.Connection) -> None:
    names = [f"ticket-{'a' * 18}{chr(97 + number)}a" for number in range(tickets.MOST_OF_A_BEARER + 1)]
    *first, last = names
    for number, name in enumerate(first):
        assert keep(store, name, ticket(groups=(f"group-{number}",))) == "kept"
    assert keep(store, last) == "too many of the bearer"
    assert keep(store, last, ticket("bea")) == "kept"
    assert keep(store, OTHER, book="gate gw2") == "kept"
    assert use(store, names[0]).standing == "granted"
    assert keep(store, "ticket-dddddddddddddddddddd") == "kept"
    assert keep(store, "ticket-eeeeeeeeeeeeeeeeeeee", now=NOON + 300) == "kept", "those that expired are not counted"


def test_open_tickets_of_a_gate_and_in_all_are_bounded(store: sqlite3.Connection, monkeypatch: Any) -> None:
    monkeypatch.setattr(tickets, "MOST_OF_A_BOOK", 2)
    monkeypatch.setattr(tickets, "MOST_OPEN", 3)
    assert keep(store, NAME, ticket("a")) == keep(store, OTHER, ticket("b")) == "kept"
    assert keep(store, "ticket-cccccccccccccccccccc", ticket("c")) == "too many"
    assert keep(store, "ticket-dddddddddddddddddddd", ticket("d"), book="gate gw2") == "kept"
    assert keep(store, "ticket-eeeeeeeeeeeeeeeeeeee", ticket("e"), book="gate gw3") == "too many"


def test_what_ended_is_forgotten_after_a_while_and_beyond_a_number(store: sqlite3.Connection, monkeypatch: Any) -> None:
    keep(store)
    use(store)
    tickets.settle(store, NOON + 300 + tickets.KEPT_SECONDS - 1)
    assert use(store, now=NOON).standing == "used"
    tickets.settle(store, NOON + 300 + tickets.KEPT_SECONDS)
    assert use(store, now=NOON).standing == "wrong"
    monkeypatch.setattr(tickets, "MOST_KEPT", 2)
    for number in range(4):
        name = f"ticket-{'f' * 19}{chr(97 + number)}"
        assert keep(store, name, ticket(seconds=100 + number), now=NOON + 10_000) == "kept"
        assert use(store, name, now=NOON + 10_000).standing == "granted"
    assert keep(store, OTHER, now=NOON + 10_000) == "kept"
    left = [row[0] for row in store.execute("SELECT name FROM tickets ORDER BY name")]
    # Two, and the one that has come since.
    assert left == [OTHER, f"ticket-{'f' * 19}c", f"ticket-{'f' * 19}d"]


def test_an_end_is_for_good(store: sqlite3.Connection) -> None:
    keep(store)
    use(store)
    with pytest.raises(sqlite3.IntegrityError, match="stays as it is"):
        store.execute("UPDATE tickets SET standing = 'open'")


def test_the_store_has_no_secret_and_can_log_in_nobody(store: sqlite3.Connection) -> None:
    keep(store)
    dump = "\n".join(store.iterdump())
    assert "tickets" in dump
    assert "secret" not in dump


def test_a_file_of_the_version_before_is_taken_on_with_a_key_of_its_own(tmp_path: Path) -> None:
    keys = []
    for name in ("one", "other"):
        old = sqlite3.connect(tmp_path / name)
        steps = list(_STEPS.values())
        before = steps[: steps.index("tickets.sql")]
        script = "".join(files("penstock_collector.store").joinpath(step).read_text() for step in before)
        old.executescript(f"PRAGMA application_id = {0x506E4175}; PRAGMA user_version = {len(before)}; {script}")
        old.close()
        connection = open_for_writing(tmp_path / name)
        assert connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
        assert keep(connection) == "kept"
        keys.append(tickets.salts_key(connection))
        connection.close()
    assert len(set(keys)) == 2
    assert {len(key) for key in keys} == {32}


@pytest.mark.parametrize("about", ["unknown", "another gate's", "open", "tried before", "void", "used", "expired"])
def test_a_wrong_secret_makes_as_much_work_whatever_there_is_of_that_name(
    store: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, about: str
) -> None:
    """A write alone takes milliseconds: who counted them would know which names are those of open tickets."""
    if about != "unknown":
        keep(store, book="gate gw2" if about == "another gate's" else "gate gw1")
    for _ in range({"tried before": 1, "void": MOST_TRIES}.get(about, 0)):
        use(store, proved=proof("wrong"))
    if about == "used":
        use(store)
    now = NOON + (301 if about == "expired" else 2)
    tickets.settle(store, now)
    wrong = proof("wrong")
    work: list[str] = []
    read, proves = Made.model_validate_json, Verifier.proved_by

    def reading(document: str | bytes) -> Made:
        work.append("read a ticket")
        return read(document)

    def proving(verifier: Verifier, proof: bytes, exchange: bytes) -> bool:
        work.append("verified")
        return proves(verifier, proof, exchange)

    def traced(text: str) -> None:
        # That a trigger looks at the row is told as the statement once more.
        if work[-1:] != [verb := text.split(maxsplit=1)[0]]:
            work.append(verb)

    monkeypatch.setattr(Made, "model_validate_json", reading)
    monkeypatch.setattr(Verifier, "proved_by", proving)
    store.set_trace_callback(traced)
    before = store.total_changes
    assert use(store, proved=wrong, now=now) == Judged(standing="wrong")
    store.set_trace_callback(None)
    assert store.total_changes - before == 1
    # What settles, the look, the proof, and the one write.
    assert work == ["UPDATE", "DELETE", "SELECT", "read a ticket", "verified", "UPDATE"]


def test_what_takes_the_place_of_a_ticket_opens_nothing(store: sqlite3.Connection) -> None:
    """Not even for whom the proof of its keys were known."""
    nobodys = Proved(databases=("nobody",), exchange=encoded(b"a,b,c"), proof=encoded(bytes(32)))
    assert use(store, proved=nobodys) == Judged(standing="wrong")
