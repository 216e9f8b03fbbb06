"""The provider that other tests rely on does what its docstring says."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import jwt
import pytest
from tests.oidc_provider.provider import DEVICE, EXCHANGE, Instead, OidcProvider

BACK = "https://127.0.0.1:9/callback"
VERIFIER = "v" * 43


@pytest.fixture
def http(oidc: OidcProvider) -> Any:
    with oidc.http() as client:
        yield client


def authorization(oidc: OidcProvider, client: str = "web", **more: str) -> str:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    query = {
        "client_id": client, "response_type": "code", "redirect_uri": BACK, "scope": "openid email groups",
        "state": "s", "nonce": "n", "code_challenge": challenge, "code_challenge_method": "S256", **more,
    }  # fmt: skip
    return f"{oidc.issuer}/auth?{urlencode(query)}"


def returned(url: str) -> dict[str, str]:
    assert url.startswith(BACK), url
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def token(http: httpx2.Client, **fields: str) -> Any:
    return http.post("/token", data=fields).json()


def code_flow(oidc: OidcProvider, http: httpx2.Client, user: str = "ada", **more: str) -> Any:
    back = returned(oidc.visitor().sign_in(authorization(oidc, **more), user))
    assert (back["state"], back["iss"]) == ("s", oidc.issuer)
    return token(
        http, grant_type="authorization_code", client_id="web", client_secret="geheim", code=back["code"],
        redirect_uri=BACK, code_verifier=VERIFIER,
    )  # fmt: skip


def read(oidc: OidcProvider, http: httpx2.Client, text: str, audience: str) -> Any:
    keys = jwt.PyJWKSet.from_dict(http.get("/jwks").json())
    key = keys[jwt.get_unverified_header(text)["kid"]]
    return jwt.decode(text, key.key, algorithms=[key.algorithm_name], audience=audience, issuer=oidc.issuer)


def test_a_code_becomes_an_id_token_once(oidc: OidcProvider, http: httpx2.Client) -> None:
    oidc.client("web", redirect_uris=[BACK], secret="geheim")
    answer = code_flow(oidc, http)
    claims = read(oidc, http, answer["id_token"], "web")
    assert (claims["sub"], claims["nonce"], claims["groups"], claims["email"]) == (
        "ada",
        "n",
        ["dba"],
        "ada@shop.example",
    )
    back = returned(oidc.visitor().sign_in(authorization(oidc), "bea"))
    fields = {"grant_type": "authorization_code", "client_id": "web", "client_secret": "geheim", "redirect_uri": BACK}
    assert token(http, **fields, code=back["code"], code_verifier="w" * 43)["error"] == "invalid_grant"
    back = returned(oidc.visitor().sign_in(authorization(oidc), "bea"))
    assert "id_token" in token(http, **fields, code=back["code"], code_verifier=VERIFIER)
    assert token(http, **fields, code=back["code"], code_verifier=VERIFIER)["error"] == "invalid_grant"
    assert returned(oidc.visitor().refuse(authorization(oidc)))["error"] == "access_denied"


def test_access_tokens_are_for_a_resource(oidc: OidcProvider, http: httpx2.Client) -> None:
    oidc.resource("urn:penstock:gate", audience="penstock", scope="query", seconds=90)
    oidc.client("web", redirect_uris=[BACK], secret="geheim")
    answer = code_flow(oidc, http, resource="urn:penstock:gate", scope="openid query")
    claims = read(oidc, http, answer["access_token"], "penstock")
    assert (claims["sub"], claims["groups"], claims["scope"]) == ("ada", ["dba"], "query")
    assert claims["exp"] - claims["iat"] == 90
    assert jwt.get_unverified_header(answer["access_token"])["typ"] == "at+jwt"
    elsewhere = oidc.visitor().sign_in(authorization(oidc, resource="urn:other"), "ada")
    assert returned(elsewhere)["error"] == "invalid_target"


def test_the_device_flow(oidc: OidcProvider, http: httpx2.Client) -> None:
    oidc.resource("urn:penstock:gate", audience="penstock")
    oidc.client("cli", resource="urn:penstock:gate", application_type="native")
    begun = http.post("/device/auth", data={"client_id": "cli", "scope": "openid groups query"}).json()
    poll = {"grant_type": DEVICE, "client_id": "cli", "device_code": begun["device_code"]}
    assert token(http, **poll)["error"] == "authorization_pending"
    assert "Signed in" in oidc.visitor().allow_device(begun["verification_uri_complete"], "bea")
    answer = token(http, **poll)
    assert read(oidc, http, answer["access_token"], "penstock")["groups"] == ["audit"]
    refused = http.post("/device/auth", data={"client_id": "cli", "scope": "openid"}).json()
    oidc.visitor().allow_device(refused["verification_uri_complete"], "bea", abort="yes")
    again = {"grant_type": DEVICE, "client_id": "cli", "device_code": refused["device_code"]}
    assert token(http, **again)["error"] == "access_denied"


def test_refreshing_tells_of_groups_that_changed_and_ends_with_the_session(
    oidc: OidcProvider, http: httpx2.Client
) -> None:
    oidc.client("web", redirect_uris=[BACK], secret="geheim", post_logout_redirect_uris=["https://127.0.0.1:9/"])
    visitor = oidc.visitor()
    back = returned(visitor.sign_in(authorization(oidc), "ada"))
    own = {"client_id": "web", "client_secret": "geheim"}
    code = {"grant_type": "authorization_code", "code": back["code"], "code_verifier": VERIFIER, "redirect_uri": BACK}
    answer = token(http, **own, **code)
    oidc.user("ada", groups=["owners"])
    answer = token(http, **own, grant_type="refresh_token", refresh_token=answer["refresh_token"])
    assert read(oidc, http, answer["id_token"], "web")["groups"] == ["owners"]
    end = urlencode({"id_token_hint": answer["id_token"], "post_logout_redirect_uri": "https://127.0.0.1:9/"})
    assert visitor.sign_out(f"{oidc.issuer}/session/end?{end}") == "https://127.0.0.1:9/"
    again = token(http, **own, grant_type="refresh_token", refresh_token=answer["refresh_token"])
    assert again["error"] == "invalid_grant"


def test_a_token_is_exchanged_for_one_in_which_an_agent_acts(oidc: OidcProvider, http: httpx2.Client) -> None:
    oidc.resource("urn:penstock:gate", audience="penstock")
    oidc.client("agent", secret="geheim")
    subject = oidc.sign({"sub": "ada", "groups": ["dba"], "aud": "agent"})
    fields = {
        "grant_type": EXCHANGE, "client_id": "agent", "client_secret": "geheim", "audience": "penstock",
        "subject_token": subject, "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }  # fmt: skip
    claims = read(oidc, http, token(http, **fields)["access_token"], "penstock")
    assert (claims["sub"], claims["groups"], claims["act"]) == ("ada", ["dba"], {"sub": "agent"})
    actor = oidc.sign({"sub": "support-bot", "aud": "agent"})
    fields |= {"actor_token": actor, "actor_token_type": "urn:ietf:params:oauth:token-type:jwt"}
    claims = read(oidc, http, token(http, **fields)["access_token"], "penstock")
    assert claims["act"] == {"sub": "support-bot"}
    forged = token(http, **{**fields, "subject_token": oidc.sign({"sub": "ada"}, key="x" * 32, alg="HS256")})
    assert forged["error"] == "invalid_grant"
    assert token(http, **{**fields, "audience": "other"})["error"] == "invalid_target"


def test_keys_are_replaced(oidc: OidcProvider, http: httpx2.Client) -> None:
    first = http.get("/jwks").json()["keys"]
    oidc.rotate("EC", keep=True, name="second")
    assert [one["kid"] for one in http.get("/jwks").json()["keys"]] == ["second", "first"]
    assert all("d" not in one for one in http.get("/jwks").json()["keys"])
    oidc.rotate(name="third")
    assert [one["kid"] for one in http.get("/jwks").json()["keys"]] == ["third"]
    assert first[0]["kid"] == "first"


def test_it_misbehaves_as_told(oidc: OidcProvider, http: httpx2.Client) -> None:
    oidc.client("web", redirect_uris=[BACK], secret="geheim")
    oidc.token_answers["id_token"] = "another"
    oidc.apply()
    assert code_flow(oidc, http)["id_token"] == "another"
    oidc.instead("/jwks", Instead(status=500, seconds=0.2))
    began = time.monotonic()
    assert http.get("/jwks").status_code == 500
    assert time.monotonic() - began >= 0.2
    assert oidc.asked("/jwks") == 1
    oidc.usual()
    assert http.get("/jwks").status_code == 200
