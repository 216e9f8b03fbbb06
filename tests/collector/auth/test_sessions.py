"""Sessions: their ends, how many there may be, and that an open page alone does not keep one."""

from __future__ import annotations

import pytest

from penstock_collector.auth import sessions as module
from penstock_collector.auth.sessions import Sessions
from penstock_collector.auth.viewer import Viewer

ADA = Viewer("ada@shop.example", how="sign-in", issuer="https://login.example", subject="00u1")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions(clock)


def test_it_ends_by_itself_without_use_and_at_the_latest(sessions: Sessions, clock: Clock) -> None:
    secret, _ = sessions.begin(ADA, "", 1000, idle=300)
    for _ in range(3):
        clock.now += 299
        assert sessions.find(secret) is not None
    clock.now += 299
    assert sessions.find(secret) is None, "1,196 seconds after it began"
    secret, _ = sessions.begin(ADA, "", 1000, idle=300)
    clock.now += 300
    assert sessions.find(secret) is None


def test_an_open_page_keeps_no_session(sessions: Sessions, clock: Clock) -> None:
    secret, session = sessions.begin(ADA, "", 1000, idle=300)
    clock.now += 250
    assert sessions.find(secret, by_person=False) is session
    assert (session.watched, session.used) == (1250, 1000)
    clock.now += 50
    assert sessions.find(secret, by_person=False) is None


def test_who_follows_is_told_of_each_end(sessions: Sessions) -> None:
    told: list[int] = []
    sessions.on_end.append(lambda: told.append(1))
    secret, _ = sessions.begin(ADA, "", 1000)
    other, session = sessions.begin(ADA, "", 1000)
    sessions.end(secret)
    assert sessions.end_by_id(session.id) is session
    assert (len(told), sessions.find(other), sessions.end_by_id(session.id), sessions.end("x")) == (2, None, None, None)


def test_how_many_there_may_be(sessions: Sessions, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OF_ONE", 3)
    monkeypatch.setattr(module, "MOST_SESSIONS", 5)
    secrets = [sessions.begin(ADA, "", 1000)[0] for _ in range(3)]
    sessions.find(secrets[0])
    sessions.begin(ADA, "", 1000)
    assert sessions.find(secrets[1]) is None, "the one that was used least lately"
    assert sessions.find(secrets[0]) is not None
    for number in range(5):
        sessions.begin(Viewer(f"other-{number}"), "", 1000)
    assert len(list(sessions.listed())) == 5
    assert sessions.find(secrets[0]) is None


def test_the_secret_is_kept_nowhere(sessions: Sessions) -> None:
    secret, session = sessions.begin(ADA, "", 1000)
    assert secret not in repr(session)
    assert session.id not in secret
    assert len(secret) >= 43


def test_the_same_name_by_another_way_is_somebody_else() -> None:
    token = Viewer("ada@shop.example")
    elsewhere = Viewer("ada@shop.example", how="sign-in", issuer="https://other.example", subject="00u1")
    assert not any(ADA.is_same(other) for other in (token, elsewhere))
