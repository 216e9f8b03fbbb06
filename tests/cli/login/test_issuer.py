"""What is taken of an issuer and what is not, whoever answers in its place."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.cli.login.conftest import Person
from tests.oidc_provider.provider import Instead

from penstock_cli.client_settings import LoginSettings
from penstock_cli.failures import Unusable
from penstock_cli.login.issuer import Granted, Issuer

DISCOVERY = "/.well-known/openid-configuration"


def metadata(ada: Person, **changes: Any) -> dict[str, Any]:
    with ada.oidc.http() as http:
        return {**http.get(DISCOVERY).json(), **changes}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"issuer": "https://evil.example"}, "says that it is issuer https://evil.example: give it as it calls itself"),
        ({"issuer": None}, "says that it is issuer None"),
        ({"token_endpoint": "http://login.example/token"}, "token_endpoint is no https:// URL"),
        ({"token_endpoint": 5}, "token_endpoint is no https:// URL"),
        ({"token_endpoint": None}, "has no token_endpoint"),
    ],
)
def test_discovery_that_is_not_the_issuers(ada: Person, changes: dict[str, Any], words: str) -> None:
    ada.oidc.instead(DISCOVERY, Instead(json.dumps(metadata(ada, **changes))))
    with Issuer(ada.settings) as issuer, pytest.raises(Unusable, match=words):
        issuer.tokens({"grant_type": "refresh_token", "refresh_token": "r"})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Instead("no JSON"), "answers 200, and not as an issuer does"),
        (Instead("[]"), "not as an issuer does"),
        (Instead('{"error": "invalid_client"}', 401), "the issuer refuses: invalid_client"),
        (Instead("{}", 500), "the issuer refuses: status 500"),
        (Instead("", 302, {"location": "https://evil.example"}), "answers 302, and not as an issuer does"),
    ],
)
def test_answers_of_an_issuer_in_trouble(ada: Person, answer: Instead, words: str) -> None:
    ada.oidc.instead("/token", answer)
    with Issuer(ada.settings) as issuer, pytest.raises(Unusable, match=words):
        issuer.tokens({"grant_type": "refresh_token", "refresh_token": "r"})


def test_an_issuer_that_is_not_trusted_or_not_there(ada: Person) -> None:
    unknown = LoginSettings(issuer=ada.oidc.issuer, client_id="penstock-cli")
    with Issuer(unknown) as issuer, pytest.raises(Unusable, match=r"cannot be reached: .*certificate verify failed"):
        issuer.endpoint("token_endpoint")
    nowhere = LoginSettings(issuer="https://127.0.0.1:1", client_id="penstock-cli")
    with Issuer(nowhere) as issuer, pytest.raises(Unusable, match="cannot be reached"):
        issuer.endpoint("token_endpoint")


GOOD = {"access_token": "a", "token_type": "Bearer", "expires_in": 60}


@pytest.mark.parametrize(
    "changes",
    [
        {"access_token": None}, {"access_token": 5}, {"token_type": "DPoP"}, {"token_type": None}, {"id_token": {}},
        {"refresh_token": 5}, {"expires_in": "60"}, {"expires_in": -1}, {"expires_in": 1e300}, {"expires_in": True},
    ],
)  # fmt: skip
def test_tokens_that_are_none(changes: dict[str, Any]) -> None:
    assert Granted.of(GOOD, "former").refresh == "former"
    with pytest.raises(Unusable):
        Granted.of({**GOOD, **changes})


def test_an_id_token_is_verified(ada: Person) -> None:
    oidc, other = ada.oidc, rsa.generate_private_key(public_exponent=65537, key_size=2048)
    good = {"sub": "ada", "aud": "penstock-cli", "nonce": "n"}
    with Issuer(ada.settings) as issuer:
        assert issuer.who(oidc.sign(good), "n")["sub"] == "ada"
        assert issuer.who(oidc.sign({**good, "aud": ["penstock-cli", "x"], "azp": "penstock-cli"}), "n")["sub"] == "ada"
        bad = {
            "another key": oidc.sign(good, key=other),
            "an unknown key": oidc.sign(good, kid="unknown"),
            "a shared secret": oidc.sign(good, key="x" * 32, alg="HS256"),
            "none": jwt.encode({**good, "iss": oidc.issuer}, None, algorithm="none"),
            "another issuer": oidc.sign({**good, "iss": "https://evil.example"}),
            "another client": oidc.sign({**good, "aud": "another"}),
            "an end": oidc.sign({**good, "exp": int(time.time()) - 120}),
            "no end": oidc.sign({**good, "exp": None}),
            "nobody": oidc.sign({**good, "sub": None}),
            "another nonce": oidc.sign({**good, "nonce": "m"}),
            "no nonce": oidc.sign({**good, "nonce": None}),
            "given to another": oidc.sign({**good, "aud": ["penstock-cli", "x"], "azp": "x"}),
            "nonsense": "a.b.c",
        }
        for name, token in bad.items():
            with pytest.raises(Unusable):
                pytest.fail(f"{name}: {issuer.who(token, 'n')}")
