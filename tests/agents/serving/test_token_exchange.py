"""The exchange at a real provider: what is asked of it, and what of its answers is not taken to the gate."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from tests.oidc_provider.provider import Instead, OidcProvider

from penstock_agents.gate.credentials import CredentialError
from penstock_agents.http_settings import ExchangeSettings
from penstock_agents.serving.token_exchange import TokenExchange


def exchange(oidc: OidcProvider, tmp_path: Path, **more: Any) -> TokenExchange:
    oidc.resource("urn:penstock:gate", audience="penstock")
    oidc.client("penstock-mcp", secret="very-secret")
    (tmp_path / "secret").write_text("very-secret\n")
    values = {
        "tokenUrl": f"{oidc.issuer}/token", "clientId": "penstock-mcp", "clientSecretFile": tmp_path / "secret",
        "resource": "urn:penstock:gate", "caFile": oidc.ca_file, **more,
    }  # fmt: skip
    return TokenExchange(ExchangeSettings.model_validate(values), "sub")


def persons(oidc: OidcProvider, **claims: Any) -> str:
    return oidc.sign({"aud": "https://mcp.example/mcp", "sub": "ada", "groups": ["support"], **claims})


async def test_the_person_stays_the_subject_and_the_agent_acts(oidc: OidcProvider, tmp_path: Path) -> None:
    token = await exchange(oidc, tmp_path).exchanged(persons(oidc), "ada")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["act"], claims["aud"], claims["groups"]) == (
        "ada", {"sub": "penstock-mcp"}, "penstock", ["support"],
    )  # fmt: skip


async def test_an_agent_with_a_token_of_its_own_acts_by_that(oidc: OidcProvider, tmp_path: Path) -> None:
    (tmp_path / "actor").write_text(oidc.sign({"sub": "support-bot", "groups": ["bots"]}))
    token = await exchange(oidc, tmp_path, actorTokenFile=tmp_path / "actor").exchanged(persons(oidc), "ada")
    assert jwt.decode(token, options={"verify_signature": False})["act"] == {"sub": "support-bot", "groups": ["bots"]}


async def test_what_was_exchanged_is_kept_for_that_token_until_it_expires(oidc: OidcProvider, tmp_path: Path) -> None:
    one = exchange(oidc, tmp_path)
    ada = persons(oidc)
    assert await one.exchanged(ada, "ada") == await one.exchanged(ada, "ada")
    assert oidc.asked("/token") == 1
    assert (
        jwt.decode(await one.exchanged(persons(oidc, sub="bea"), "bea"), options={"verify_signature": False})["sub"]
        == "bea"
    )
    oidc.resource("urn:penstock:gate", audience="penstock", seconds=9)
    cem = persons(oidc, sub="cem")
    assert await one.exchanged(cem, "cem") != await one.exchanged(cem, "cem")


def answered(oidc: OidcProvider, token: Any, **more: Any) -> Instead:
    import json

    return Instead(json.dumps({"access_token": token, "token_type": "Bearer", **more}))


CLAIMS: dict[str, dict[str, Any]] = {
    "a token that names no agent": {"act": None},
    "a token of somebody else": {"sub": "bea"},
    "a token that is not for the gate": {"aud": "https://mcp.example/mcp"},
}


@pytest.mark.parametrize(("words", "claims"), CLAIMS.items(), ids=CLAIMS)
async def test_what_comes_back_has_to_be_what_was_asked_for(
    oidc: OidcProvider, tmp_path: Path, words: str, claims: dict[str, Any]
) -> None:
    one = exchange(oidc, tmp_path)
    good = {"sub": "ada", "aud": "penstock", "act": {"sub": "penstock-mcp"}}
    oidc.instead("/token", answered(oidc, oidc.sign(good)))
    await one.exchanged(persons(oidc, jti="1"), "ada")
    oidc.instead("/token", answered(oidc, oidc.sign(good | claims)))
    with pytest.raises(CredentialError, match=words):
        await one.exchanged(persons(oidc, jti="2"), "ada")


async def test_the_token_that_was_given_is_never_passed_on(oidc: OidcProvider, tmp_path: Path) -> None:
    token = persons(oidc, aud=["https://mcp.example/mcp", "penstock"], act={"sub": "penstock-mcp"})
    one = exchange(oidc, tmp_path)
    oidc.instead("/token", answered(oidc, token))
    with pytest.raises(CredentialError, match="the same token"):
        await one.exchanged(token, "ada")


ANSWERS: dict[str, tuple[Instead, str]] = {
    "a refusal": (Instead('{"error": "invalid_grant", "error_description": "SECRET"}', 400), "invalid_grant"),
    "a refusal in odd words": (Instead('{"error": "SECRET words"}', 400), "400"),
    "no JSON": (Instead("<html>SECRET"), "as one does"),
    "no object": (Instead("[]"), "as one does"),
    "no token": (Instead('{"token_type": "Bearer"}'), "no bearer token"),
    "a token that is none": (Instead('{"access_token": "SECRET", "token_type": "Bearer"}'), "no JWT"),
    "a bound token": (Instead('{"access_token": "SECRET", "token_type": "DPoP"}'), "no bearer token"),
    "a redirect": (Instead("{}", 307, {"location": "https://elsewhere.example"}), "307"),
    "too much": (Instead("{}", endless=True), "too much"),
    "a fault": (Instead("{}", 500), "500"),
}


@pytest.mark.parametrize(("instead", "words"), ANSWERS.values(), ids=ANSWERS)
async def test_answers_that_are_none(oidc: OidcProvider, tmp_path: Path, instead: Instead, words: str) -> None:
    one = exchange(oidc, tmp_path)
    oidc.instead("/token", instead)
    with pytest.raises(CredentialError, match=words) as caught:
        await one.exchanged(persons(oidc), "ada")
    assert "SECRET" not in str(caught.value)
    assert caught.value.next_step


async def test_an_issuer_that_is_not_there_or_not_the_one(oidc: OidcProvider, tmp_path: Path) -> None:
    for more in ({"tokenUrl": "https://localhost:9/token"}, {"caFile": None}):
        one = exchange(oidc, tmp_path, **more)
        with pytest.raises(CredentialError, match="can't be reached"):
            await one.exchanged(persons(oidc), "ada")
    (tmp_path / "none").write_text("")
    one = exchange(oidc, tmp_path, clientSecretFile=tmp_path / "none")
    with pytest.raises(CredentialError, match="holds no token"):
        await one.exchanged(persons(oidc), "ada")
    assert oidc.asked("/token") == 0


async def test_a_slow_issuer_is_not_waited_for(
    oidc: OidcProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock_agents.serving.token_exchange._SECONDS", 0.5)
    one = exchange(oidc, tmp_path)
    oidc.instead("/token", Instead(seconds=5))
    began = time.monotonic()
    with pytest.raises(CredentialError, match=r"in time|reached"):
        await one.exchanged(persons(oidc), "ada")
    assert time.monotonic() - began < 4
