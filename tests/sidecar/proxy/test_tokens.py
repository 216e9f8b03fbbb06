"""Tokens of made-up issuers: who is accepted, who is not and in which words; and sessions that end with their token."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from penstock_core.identity import Identity, Principal, Workload
from penstock_sidecar.proxy import connection
from penstock_sidecar.proxy.tokens import Issuer, TokenError, TokenVerifier

Start = Any
ISSUER = "https://issuer.example"
KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def jwks() -> str:
    keys = []
    for name, key in KEYS.items():
        algorithm = jwt.get_algorithm_by_name(name)
        keys.append({**json.loads(algorithm.to_jwk(key.public_key())), "kid": name, "use": "sig"})
    return json.dumps({"keys": keys})


def token(algorithm: str = "RS256", *, key: Any = None, kid: str | None = None, drop: str = "", **claims: Any) -> str:
    values = {
        "iss": ISSUER, "aud": "penstock", "sub": "ada", "exp": int(time.time()) + 60,
        "groups": ["support", "dba"], **claims,
    }  # fmt: skip
    values.pop(drop, None)
    headers = {"kid": algorithm if kid is None else kid}
    return jwt.encode(values, KEYS[algorithm] if key is None else key, algorithm=algorithm, headers=headers)


@pytest.fixture
def verify(tmp_path: Path) -> Callable[..., Any]:
    path = tmp_path / "jwks.json"
    path.write_text(jwks())
    issuers = [
        Issuer(ISSUER, "penstock", "person", path),
        Issuer(ISSUER, "penstock-agents", "agent", path),
    ]
    return TokenVerifier(issuers, Workload("shop", "web")).verify


def unsigned(payload: bytes) -> str:
    parts = (b'{"alg":"none"}', payload, b"x")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize(
    "garbage",
    [
        unsigned(b'{"iss":"%s","aud":5}' % ISSUER.encode()),
        unsigned(b'{"iss":"%s","aud":{"penstock":1}}' % ISSUER.encode()),
        unsigned(b'{"iss":["%s"]}' % ISSUER.encode()),
        unsigned(b"[" * 100_000),
        unsigned(b'{"iss":' * 100_000),
        "\ud800.a.b",
        "\x00",
        "",
    ],
)
async def test_garbage_is_refused_in_words(verify: Callable[..., Any], garbage: str) -> None:
    with pytest.raises(TokenError):
        await verify(garbage)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_good_token_names_a_person_within_the_workload(verify: Callable[..., Any], algorithm: str) -> None:
    proof = await verify(token(algorithm))
    assert proof.identity == Identity(Workload("shop", "web"), Principal("person", "ada", ISSUER, ("dba", "support")))
    assert 55 < proof.expires - time.time() < 61


async def test_the_audience_tells_agents_from_people(verify: Callable[..., Any]) -> None:
    proof = await verify(token(aud=["penstock-agents", "other"]))
    assert proof.identity.principal.kind == "agent"


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: "not a token", "not an OIDC token"),
        (lambda: "", "not an OIDC token"),
        (lambda: token(exp=int(time.time()) - 60), "has expired"),
        (lambda: token(nbf=int(time.time()) + 600), "not valid yet"),
        (lambda: token(aud="someone-else"), "not for this gate"),
        (lambda: token(iss="https://other.example"), "issuer is not one"),
        (lambda: token(drop="exp"), "lacks the claim exp"),
        (lambda: token(drop="sub"), "lacks the claim sub"),
        (lambda: token(drop="aud"), "lacks the claim aud"),
        (lambda: token(act={"sub": "robot"}), "not supported yet"),
        (lambda: token(groups={"a": 1}), "claim groups is not a list"),
        (lambda: token(kid="unknown"), "signed with a key"),
        (lambda: token(key=rsa.generate_private_key(public_exponent=65537, key_size=2048)), "signature or claims"),
        (lambda: token("ES256", kid="RS256"), "signature or claims"),
        # The public key taken for a shared secret, and no signature at all.
        (lambda: jwt.encode({"iss": ISSUER, "aud": "penstock", "sub": "x", "exp": time.time() + 9}, "k" * 32, "HS256",
                            headers={"kid": "RS256"}), "signature or claims"),
        (lambda: jwt.encode({"iss": ISSUER, "aud": "penstock", "sub": "x", "exp": time.time() + 9}, "", "none",
                            headers={"kid": "RS256"}), "signature or claims"),
    ],
)  # fmt: skip
async def test_other_tokens_are_refused_in_words(verify: Callable[..., Any], made: Any, words: str) -> None:
    with pytest.raises(TokenError, match=words) as refused:
        await verify(made())
    assert "eyJ" not in str(refused.value)


async def test_keys_in_a_file_are_read_anew_when_they_change(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text('{"keys": []}')
    verify = TokenVerifier([Issuer(ISSUER, "penstock", "person", path)], None).verify
    with pytest.raises(TokenError):
        await verify(token())
    path.write_text(jwks())
    assert (await verify(token())).identity.name == "person:ada"


def issuers(directory: Path) -> dict[str, Any]:
    (directory / "jwks.json").write_text(jwks())
    return {
        "issuers": [
            {"issuer": ISSUER, "audience": "penstock", "kind": "person", "jwksFile": str(directory / "jwks.json")}
        ],
        "required": True,
    }


async def test_a_client_proves_itself_by_a_token_as_password(start: Start, shop: Any, tmp_path: Path) -> None:
    gate = await start(shop, identity=issuers(tmp_path), name="gate")
    async with await gate.psycopg(password=token()) as client:
        await client.execute("SELECT 1")
    (intent,) = await gate.settled(1, "intent")
    assert intent["identity"]["principal"] == {
        "kind": "person", "subject": "ada", "issuer": ISSUER, "groups": ["dba", "support"], "assurance": "verified",
    }  # fmt: skip
    with pytest.raises(psycopg.OperationalError, match="the token has expired; get a new one"):
        await gate.psycopg(password=token(exp=int(time.time()) - 60))
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        await gate.psycopg()


async def test_in_a_pod_a_token_is_asked_for_by_the_user_name(start: Start, shop: Any, tmp_path: Path) -> None:
    workload = {"namespace": "shop", "serviceAccount": "web", "pod": "web-1", "podUid": "u-1"}
    gate = await start(shop, identity={**issuers(tmp_path), "required": False, "workload": workload})
    async with await gate.psycopg() as client:
        await client.execute("SELECT 1")
    async with await gate.psycopg(user="token", password=token()) as client:
        await client.execute("SELECT 1")
    names = [event["identity"]["name"] for event in await gate.settled(2, "intent")]
    assert names == ["sa:shop/web", "person:ada"]


async def left(gate: Any, sessions: int) -> None:
    """Until there are no more sessions than that."""
    for _ in range(1000):
        if len(gate.proxy.gateway.connections) <= sessions:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"there are {len(gate.proxy.gateway.connections)} sessions still")


async def test_a_session_ends_with_its_token(
    start: Start, shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "seconds_left", lambda proof: 2.0)
    monkeypatch.setattr(connection, "EXPIRY_GRACE_SECONDS", 2.0)
    gate = await start(shop, identity=issuers(tmp_path), name="gate")
    idle = await gate.psycopg(password=token())
    busy = await gate.psycopg(password=token())
    stuck = await gate.psycopg(password=token())
    sleeping = asyncio.create_task(busy.execute("SELECT pg_sleep(2.5)"))
    await stuck.execute("BEGIN")
    await left(gate, 2)
    with pytest.raises(psycopg.OperationalError, match="token expired"):
        await idle.execute("SELECT 1")
    # What is in flight comes to its end; a transaction that stays open does not hold the session.
    await sleeping
    # (libpq takes what comes together with the end of a result for a notice.)
    with pytest.raises(psycopg.OperationalError):
        await busy.execute("SELECT 1")
    await left(gate, 0)
    with pytest.raises(psycopg.OperationalError, match="token expired"):
        await stuck.execute("SELECT 1")
    for client in (idle, busy, stuck):
        await client.close()
