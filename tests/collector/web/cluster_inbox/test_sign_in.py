"""A sign-in at a provider that the API server trusts decides with its own token."""

from __future__ import annotations

from typing import Any

import pytest
from tests.collector.web.api_server import FakeApi
from tests.collector.web.cluster_inbox.conftest import (
    COMMAND,
    PAGE,
)
from tests.collector.web.signing_in import Person, said
from tests.oidc_provider.provider import Instead, OidcProvider

from penstock_collector.settings import CollectorSettings


@pytest.fixture
async def desk(start: Any, sign_in_settings: CollectorSettings, api: tuple[FakeApi, dict[str, Any]]) -> Any:
    """In place of the one without an API server."""
    return await start(sign_in_settings.model_copy(update=api[1]))


def trusting(cluster: FakeApi, desk: Any, name: str = "https://login.example#bea") -> str:
    """The API server knows whoever signed in last by their ID token from now on; the token."""
    session = next(desk.running.collector.viewers.sessions.listed())
    token: str = session.signed_in.id_token
    return cluster.knows(token, name, "dba")


async def test_the_sign_ins_own_token_decides(person: Person, desk: Any, cluster: FakeApi) -> None:
    await person.sign_in("bea")
    token = trusting(cluster, desk)
    page = (await person.get(PAGE)).text
    assert "the API server knows you as <b>https://login.example#bea</b>" in page
    assert token not in page
    answer = await person.post(PAGE, decision="approved", uid="uid-1", comment="")
    assert answer.status_code == 303
    (write,) = cluster.writes()
    assert (write.token, cluster.status["decidedBy"]) == (token, "https://login.example#bea")
    (deciding,) = [one for one in await desk.readings() if one["action"] == "deciding"]
    assert (deciding["by"]["name"], deciding["reason"]) == ("bea@shop.example", "as https://login.example#bea")


async def test_a_refreshed_sign_in_decides_with_the_newer_token(person: Person, desk: Any, cluster: FakeApi) -> None:
    await person.sign_in("bea")
    old = trusting(cluster, desk)
    (session,) = desk.running.collector.viewers.sessions.listed()
    session.checked -= 301
    await person.get("/requests")
    new = trusting(cluster, desk)
    assert new != old
    assert (await person.post(PAGE, decision="denied", uid="uid-1", comment="no")).status_code == 303
    assert cluster.writes()[0].token == new


async def test_whoever_asked_by_a_name_that_the_provider_gave_them(person: Person, desk: Any, cluster: FakeApi) -> None:
    """The API server knows them by another one, and can't see it."""
    assert cluster.object is not None
    principal = {"kind": "person", "subject": "bea@shop.example", "issuer": "https://id.example"}
    cluster.object["spec"]["requester"] = {"principal": principal}
    await person.sign_in("bea")
    trusting(cluster, desk, "x-4711")
    answer = await person.post(PAGE, decision="approved", uid="uid-1", comment="")
    assert (answer.status_code, said(answer)) == (
        403, "Not done: x-4711 may not decide: they asked for it, or the agent that asked acts for them.",
    )  # fmt: skip
    assert cluster.writes() == []


async def test_a_provider_that_the_api_server_does_not_trust(person: Person, desk: Any, cluster: FakeApi) -> None:
    await person.sign_in("bea")
    page = (await person.get(PAGE)).text
    assert "The API server does not take your sign-in with Example: it has to trust that provider" in page
    assert COMMAND in page
    asked = len(cluster.asked)
    assert asked > 0
    # The session goes on; what was not taken is not sent again.
    assert (await person.get("/requests")).status_code == 200
    assert (await person.post(PAGE, decision="approved", uid="uid-1")).status_code == 403
    assert len(cluster.asked) == asked


async def test_an_id_token_that_has_expired_is_renewed_before_it_is_sent(
    person: Person, desk: Any, cluster: FakeApi, oidc: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await person.sign_in("bea")
    old = trusting(cluster, desk)
    ended = {old}
    monkeypatch.setattr("penstock_collector.auth.credentials.lasts", lambda token: -1.0 if token in ended else 600.0)
    page = (await person.get(PAGE)).text
    new = next(desk.running.collector.viewers.sessions.listed()).signed_in.id_token
    assert new != old
    assert old not in {one.token for one in cluster.asked}
    assert "The API server does not take" in page
    trusting(cluster, desk)
    ended.add(new)
    oidc.instead("/token", Instead(status=500))
    assert "Your sign-in’s token has expired, and there is no newer one." in (await person.get(PAGE)).text
