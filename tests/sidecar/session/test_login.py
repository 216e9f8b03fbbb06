"""What is on record of logins, as conversations: how each ended, what the client said of itself, and no secret."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sidecar.session.conversation import NONCE, Conversation, complete, greeting
from tests.sidecar.session.test_proving import ACKNOWLEDGED, CONFIG, response

from penstock_core.identity import Identity, Principal
from penstock_sidecar.session import commands
from penstock_sidecar.session.commands import ProxyConfig
from penstock_sidecar.session.evidence import BYE, LEFT
from penstock_sidecar.session.refusals import fatal
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import query

ASKS = ProxyConfig("shop", "shop", token="always")
GROUPS = tuple(f"group {number}" for number in range(1000))
ADA = Identity(principal=Principal("person", "ada", "https://login.example", GROUPS))
CLAIMED = {"issuer": "https://evil.example", "subject": "root"}


def begun(config: ProxyConfig | None = None, **parameters: str) -> Conversation:
    talk = Conversation(open_=False, config=config)
    talk.client(messages.startup({"user": "app", "database": "shop", "application_name": "till", **parameters}))
    return talk


def refused(talk: Conversation) -> dict[str, Any]:
    (event,) = talk.events
    assert (event["kind"], event["outcome"], event["database"]) == ("login", "refused", "shop")
    return event


def test_an_accepted_login_tells_who_it_is_and_what_the_client_says_of_itself() -> None:
    talk = begun(ASKS, options="-c TimeZone=UTC")
    talk.client(messages.password(b"a token")).did(talk.session.identified(ADA))
    assert talk.events == []
    talk.did(talk.session.connected(talk.rules(), greeting(server_version="18.0")))
    (event,) = talk.events
    assert (event["kind"], event["outcome"], event["session"]) == ("login", "accepted", "s-1")
    assert event["client"] == {"addr": "10.1.2.3:4", "application": "till", "user": "app", "database": "shop"}
    assert event["asserted"] == {"application": "till"}
    # All of its groups: they are what its statements are decided by.
    assert event["identity"] == ADA.document()


def test_an_application_name_among_the_options_is_told() -> None:
    talk = Conversation(open_=False)
    talk.client(messages.startup({"user": "app", "database": "shop", "options": "-c application_name=till"}))
    talk.did(talk.session.connected(talk.rules(), greeting(server_version="18.0")))
    assert talk.events[0]["client"]["application"] == "till"


def test_a_refused_token_is_told_with_its_claims_as_no_more_than_claims() -> None:
    talk = begun(ASKS)
    talk.client(messages.password(b"a token"))
    talk.did(talk.session.token_refused("the token has expired", "get a new one", CLAIMED))
    event = refused(talk)
    assert (event["reason"], event["sqlstate"]) == ("the token has expired", "28P01")
    assert event["asserted"] == {"application": "till", **CLAIMED}
    assert "identity" not in event
    assert "a token" not in str(event)


@pytest.mark.parametrize("acknowledges", [True, False])
def test_by_oauthbearer_a_refusal_is_told_once_whether_or_not_the_client_acknowledges_it(acknowledges: bool) -> None:
    talk = begun(CONFIG)
    talk.client(response(b"Bearer abc"))
    talk.did(talk.session.token_refused("the token has expired", "", CLAIMED))
    if acknowledges:
        talk.client(ACKNOWLEDGED)
    else:
        talk.did(talk.session.client_closed())
    assert refused(talk)["reason"] == "the token has expired"


def test_a_client_that_asks_where_tokens_come_from_is_no_login() -> None:
    talk = begun(CONFIG)
    talk.client(response(b"")).client(ACKNOWLEDGED)
    talk.client_reads_error("28000", "no token was presented")
    assert talk.events == []


def test_a_client_that_goes_before_it_is_answered_is_not_refused() -> None:
    talk = begun(ASKS)
    talk.did(talk.session.client_closed())
    assert talk.events == []


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x04", b"\xff" * 8])
def test_what_is_no_startup_packet_is_no_login(sent: bytes) -> None:
    talk = Conversation(open_=False)
    talk.client(sent)
    assert talk.events == []


@pytest.mark.parametrize(
    ("config", "parameters", "sqlstate", "reason"),
    [
        (ProxyConfig("shop", "shop", tls="required"), {}, "28000", "this gate requires an encrypted connection"),
        (None, {"database": "other"}, "3D000", 'this gate serves database "shop", not "other"'),
        (None, {"replication": "database"}, "0A000", "replication connections are not supported"),
        (None, {"log_statement": "all"}, "42501", "the startup parameter log_statement is not allowed"),
    ],
)
def test_a_refused_startup_is_told_in_words(
    config: ProxyConfig | None, parameters: dict[str, str], sqlstate: str, reason: str
) -> None:
    event = refused(begun(config, **parameters))
    assert (event["sqlstate"], event["reason"]) == (sqlstate, reason)
    assert event["client"]["user"] == "app"
    assert event["client"]["database"] == parameters.get("database", "shop")


@pytest.mark.parametrize("password", [b"hunter2hunter2", b""])
def test_a_password_that_is_no_token_is_kept_nowhere(password: bytes) -> None:
    talk = begun(ASKS)
    talk.client(messages.password(password))
    talk.did(talk.session.token_refused("the password is not an OIDC token (JWT)"))
    assert "hunter2" not in str(refused(talk))


@pytest.mark.parametrize(
    "parameters",
    [
        {"options": "-c penstock.login=hunter2"},
        {"options": r"-c penstock.login=hunter2\ and\ more"},
        {"options": "--client_encoding=hunter2"},
        {"client_encoding": "hunter2"},
        {"client_encoding": "it's hunter2"},
        {"standard_conforming_strings": "hunter2"},
    ],
)
def test_values_of_settings_are_not_quoted(parameters: dict[str, str]) -> None:
    talk = begun(**parameters)
    assert b"hunter2" in talk.to_client
    event = refused(talk)
    assert "hunter2" not in str(event)
    assert "…" in event["reason"]


def test_no_server_for_a_verified_identity_tells_who_it_is_with_some_of_its_groups() -> None:
    talk = begun(ASKS)
    talk.client(messages.password(b"a token")).did(talk.session.identified(ADA))
    talk.did(talk.session.connect_failed(fatal("28000", "no policy lets person:ada in", "write one")))
    event = refused(talk)
    assert (event["reason"], event["identity"]["name"]) == ("no policy lets person:ada in", "person:ada")
    principal = event["identity"]["principal"]
    assert (principal["groups"], principal["groupsLeftOut"]) == (list(GROUPS[:20]), 980)


def test_a_stranger_says_no_more_of_itself_than_names_take() -> None:
    talk = begun(None, user="u" * 3000, application_name="a" * 3000, database="d" * 3000)
    event = refused(talk)
    assert {len(event["client"][name]) for name in ("user", "application", "database")} == {200}
    assert len(str(event)) < 4500


def test_a_policy_that_changed_while_the_login_went_on_turns_it_away() -> None:
    talk = begun()
    talk.did(talk.session.connected(talk.rules(statement_timeout=10), greeting(server_version="18.0"), 1000))
    assert refused(talk)["sqlstate"] == "57P01"


def ended(talk: Conversation) -> tuple[str, str, int, int]:
    event = talk.events[-1]
    assert (event["kind"], event["event"]) == ("session", "end")
    return event["reason"], event.get("sqlstate", ""), event["statements"], event["durationUs"]


def test_the_end_tells_why_how_long_and_how_many_statements() -> None:
    talk = Conversation()
    talk.client(query("SELECT 1")).server(complete("SELECT 1"), messages.ready())
    talk.client(messages.TERMINATE)
    assert ended(talk) == (BYE, "", 1, 30)
    talk = Conversation()
    talk.did(talk.session.client_closed())
    assert ended(talk) == (LEFT, "", 0, 0)
    talk = Conversation()
    talk.did(talk.session.server_closed())
    assert ended(talk) == ("the database closed the connection", "", 0, 0)
    talk = Conversation()
    talk.did(talk.session.drain("the gate is shutting down", at_once=False))
    assert ended(talk) == ("the gate is shutting down", "57P01", 0, 0)
    talk = Conversation()
    talk.did(talk.session.drain("the gate is shutting down", at_once=True))
    assert ended(talk) == ("the gate is shutting down", "57P01", 0, 0)
    talk = Conversation()
    talk.did(talk.session.expired(at_once=False))
    assert ended(talk) == ("the session's token expired", "57P01", 0, 0)
    talk = Conversation()
    talk.client(b"\xff" * 20)
    assert ended(talk)[:2] == (talk.events[-1]["reason"], "08P01")


def test_nothing_of_the_session_s_keys_is_told() -> None:
    talk = begun()
    talk.did(talk.session.connected(talk.rules(), greeting(server_version="18.0")))
    talk.did(talk.session.client_closed())
    assert NONCE not in str(talk.events)
    assert not any(isinstance(one, commands.Verify) for one in talk.rest)
