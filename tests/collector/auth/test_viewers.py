"""Logging in: tokens, sessions, links that work once, and guessing."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from penstock_collector.auth.roles import Role
from penstock_collector.auth.token_file import TokenFile, TokenFileError
from penstock_collector.auth.viewer import Viewer
from penstock_collector.auth.viewers import SESSION_SECONDS, TICKET_SECONDS, TooManyFailures, Viewers


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def named(viewer: Viewer | None) -> str | None:
    return viewer and viewer.name


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "viewers"
    path.write_text(f"# people\n\nsha256:{hashed('a')} ada # on call\n{hashed('b').upper()}\tbob\n")
    return path


@pytest.fixture
def viewers(path: Path, clock: Clock) -> Viewers:
    return Viewers(TokenFile(path, names_only=False), clock)


def test_a_token_stands_for_a_viewer(viewers: Viewers) -> None:
    assert [named(viewers.of_token(token, "")) for token in ("a", "b", "c", "", hashed("a"))] == [
        "ada",
        "bob",
        None,
        None,
        None,
    ]


def test_a_session_lasts_for_its_time(viewers: Viewers, clock: Clock) -> None:
    secret = viewers.log_in("a", "")
    assert secret is not None
    assert named(viewers.of_session(secret)) == "ada"
    assert viewers.of_session(secret + "x") is None
    clock.now += SESSION_SECONDS + 1
    assert viewers.of_session(secret) is None


def test_logging_out_ends_a_session(viewers: Viewers) -> None:
    secret = viewers.log_in("a", "") or ""
    viewers.log_out(secret)
    assert viewers.of_session(secret) is None


def test_a_session_ends_with_its_token(viewers: Viewers, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock_collector.auth.token_file._CHECK_EVERY_SECONDS", 0.0)
    secret = viewers.log_in("a", "") or ""
    path.write_text(f"{hashed('b')} bob\n")
    assert viewers.of_session(secret) is None
    assert named(viewers.of_token("b", "")) == "bob"


def test_a_broken_edit_locks_nobody_out(viewers: Viewers, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock_collector.auth.token_file._CHECK_EVERY_SECONDS", 0.0)
    path.write_text("half a line")
    assert named(viewers.of_token("a", "")) == "ada"
    path.unlink()
    assert named(viewers.of_token("a", "")) == "ada"


def test_a_link_logs_in_once(viewers: Viewers) -> None:
    ticket = viewers.issue_ticket()
    secret = viewers.redeem(ticket, "")
    assert secret is not None
    assert named(viewers.of_session(secret)) == "login-link"
    assert viewers.redeem(ticket, "") is None


def test_a_link_grows_old(viewers: Viewers, clock: Clock) -> None:
    ticket = viewers.issue_ticket()
    clock.now += TICKET_SECONDS + 1
    assert viewers.redeem(ticket, "") is None


def test_guessing_is_slowed_down_for_who_guesses(viewers: Viewers, clock: Clock) -> None:
    for number in range(10):
        assert viewers.log_in(f"guess{number}", "10.0.0.1") is None
    with pytest.raises(TooManyFailures):
        viewers.log_in("a", "10.0.0.1")
    with pytest.raises(TooManyFailures):
        viewers.redeem("guess", "10.0.0.1")
    assert viewers.log_in("a", "10.0.0.2") is not None
    clock.now += 301
    assert viewers.log_in("a", "10.0.0.1") is not None


def test_who_guesses_locks_nobody_out_who_has_a_token_that_can_not_be_guessed(viewers: Viewers, path: Path) -> None:
    token = "k" * 32
    path.write_text(f"{hashed(token)} eve\n{hashed('a')} ada\n")
    behind_a_proxy = Viewers(TokenFile(path, names_only=False))
    ticket = behind_a_proxy.issue_ticket()
    for number in range(20):
        with contextlib.suppress(TooManyFailures):
            behind_a_proxy.log_in(f"guess{number}", "10.0.0.1")
    assert named(behind_a_proxy.of_token(token, "10.0.0.1")) == "eve"
    assert behind_a_proxy.redeem(ticket, "10.0.0.1") is not None
    with pytest.raises(TooManyFailures):
        behind_a_proxy.of_token("a", "10.0.0.1")


def test_guesses_from_everywhere_use_bounded_memory(viewers: Viewers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock_collector.auth.viewers._MOST_ADDRESSES", 5)
    monkeypatch.setattr("penstock_collector.auth.sessions.MOST_SESSIONS", 5)
    for number in range(20):
        viewers.log_in("guess", str(number))
        viewers.log_in("a", "x")
    assert (len(viewers._failures), len(list(viewers.sessions.listed()))) == (5, 5)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"nonsense\n", "line 1: not `<sha256 of the token, 64 hex digits> <name>`"),
        (b"# ok\n" + hashed("a").encode() + b"\n", "line 2: not"),
        (hashed("a").encode() + b" two names\n", "line 1: not"),
        (b"\xff\xfe", "is not text"),
    ],
)
def test_a_bad_file_is_one_clear_line(content: bytes, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_bytes(content)
    with pytest.raises(TokenFileError, match=r"^token file \S+tokens") as error:
        TokenFile(tmp_path / "tokens")
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TokenFileError, match="cannot be read: No such file or directory"):
        TokenFile(tmp_path / "none")


def test_a_line_says_who_may_decide(path: Path, viewers: Viewers, clock: Clock) -> None:
    path.write_text(
        f"{hashed('a')} ada groups=dba,owners kind=person also=ada@shop.example,oidc:ada\n{hashed('b')} bob\n"
    )
    again = Viewers(TokenFile(path, names_only=False), clock)
    ada, bob = again.of_token("a", ""), again.of_token("b", "")
    also = frozenset({"ada@shop.example", "oidc:ada"})
    assert ada == Viewer("ada", "person", frozenset({"dba", "owners"}), also, also | {"ada"})
    assert bob == Viewer("bob", asks_as=frozenset({"bob"}))


def test_a_line_says_what_may_be_done_with_its_token(path: Path, clock: Clock) -> None:
    path.write_text(f"{hashed('a')} ada\n{hashed('b')} bob roles=viewer,approver\n")
    viewers = Viewers(TokenFile(path, names_only=False), clock)
    ada, bob = viewers.of_token("a", ""), viewers.of_token("b", "")
    assert ada is not None
    assert bob is not None
    assert (ada.roles, bob.roles) == (set(Role), {Role.VIEWER, Role.APPROVER})


def test_a_session_has_the_groups_that_the_file_gives_now(path: Path, clock: Clock, monkeypatch: Any) -> None:
    monkeypatch.setattr("penstock_collector.auth.token_file._CHECK_EVERY_SECONDS", 0)
    path.write_text(f"{hashed('a')} ada groups=dba\n")
    viewers = Viewers(TokenFile(path, names_only=False), clock)
    secret = viewers.log_in("a", "") or ""
    before = viewers.of_session(secret)
    assert before is not None
    assert before.groups == {"dba"}
    path.write_text(f"{hashed('a')} ada kind=agent\n")
    now = viewers.of_session(secret)
    assert now is not None
    assert replace(now, session="") == Viewer("ada", "agent", asks_as=frozenset({"ada"}))


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ("groups=", "behind the name, each once"),
        ("groups=dba groups=owners", "behind the name, each once"),
        ("group=dba", "behind the name, each once"),
        ("dba", "behind the name, each once"),
        ("kind=robot", "kind is one of person, agent, service"),
        ("roles=viewer,root", "roles are some of viewer, auditor, approver, admin"),
    ],
)
def test_a_line_that_says_what_is_not_understood(path: Path, more: str, complaint: str) -> None:
    path.write_text(f"{hashed('a')} ada {more}\n")
    with pytest.raises(TokenFileError, match=f"line 1: {complaint}"):
        TokenFile(path, names_only=False)


def test_a_file_of_senders_has_names_alone(path: Path) -> None:
    path.write_text(f"{hashed('a')} gw1 groups=dba\n")
    with pytest.raises(TokenFileError, match="line 1: not `<sha256"):
        TokenFile(path)
