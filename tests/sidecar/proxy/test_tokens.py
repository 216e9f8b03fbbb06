"""Tokens of made-up issuers: who is accepted, who is not and in which words; and sessions that end with their token."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from penstock_core.audit.chain import canonical
from penstock_core.identity import Identity, Principal, Workload
from penstock_sidecar.proxy import credentials
from penstock_sidecar.proxy.issuers import Issuer, TokenError
from penstock_sidecar.proxy.tokens import TokenVerifier, claimed

Start = Any
ISSUER = "https://issuer.example"
KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "PS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
}


def jwks() -> str:
    keys = []
    for name, key in KEYS.items():
        algorithm = jwt.get_algorithm_by_name(name)
        keys.append({**json.loads(algorithm.to_jwk(key.public_key())), "kid": name, "use": "sig"})
    return json.dumps({"keys": keys})


def token(
    algorithm: str = "RS256", *, key: Any = None, kid: str | None = None, drop: str = "",
    header: dict[str, Any] | None = None, **claims: Any,
) -> str:  # fmt: skip
    values = {
        "iss": ISSUER, "aud": "penstock", "sub": "ada", "exp": int(time.time()) + 60,
        "groups": ["support", "dba"], **claims,
    }  # fmt: skip
    values.pop(drop, None)
    headers = {"kid": algorithm if kid is None else kid, **(header or {})}
    if headers["kid"] is None:
        del headers["kid"]
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


@pytest.mark.parametrize("algorithm", KEYS)
async def test_a_good_token_names_a_person_within_the_workload(verify: Callable[..., Any], algorithm: str) -> None:
    proof = await verify(token(algorithm))
    assert proof.identity == Identity(Workload("shop", "web"), Principal("person", "ada", ISSUER, ("dba", "support")))
    assert 60 < proof.expires - time.time() < 66


async def test_the_audience_tells_agents_from_people(verify: Callable[..., Any]) -> None:
    proof = await verify(token(aud=["penstock-agents", "other"]))
    assert proof.identity.principal.kind == "agent"


def shared_secret(algorithm: str, secret: bytes, claims: bytes = b"") -> str:
    """A token signed with a secret, as the library itself would not."""
    head = json.dumps({"alg": algorithm, "kid": "RS256"}).encode()
    good = json.dumps({"iss": ISSUER, "aud": "penstock", "sub": "ada", "exp": time.time() + 60}).encode()
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (head, claims or good))
    signature = hmac.digest(secret, signed, "sha256") if secret else b""
    return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def public_pem() -> bytes:
    return bytes(KEYS["RS256"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def now() -> int:
    """When a test runs, which may be long after it was collected."""
    return int(time.time())


BAD: dict[str, tuple[Callable[[], str], str]] = {
    "no token": (lambda: "not a token", "the password is not an OIDC token (JWT)"),
    "empty": (lambda: "", "the password is not an OIDC token (JWT)"),
    "expired": (lambda: token(exp=now() - 60), "the token has expired"),
    "not valid yet": (lambda: token(nbf=now() + 600), "the token is not valid yet"),
    "issued in the future": (lambda: token(iat=now() + 600), "the token is not valid yet"),
    "of another audience": (
        lambda: token(aud="someone-else"), "the token is not for this gate (its audience is not penstock)"
    ),
    "for other audiences": (
        lambda: token(aud=["a", "b"]), "the token is not for this gate (its audience is not penstock)"
    ),
    "for two of this gate's": (
        lambda: token(aud=["penstock", "penstock-agents"]),
        "the token is for several audiences of this gate, so that it has several meanings",
    ),
    "of another issuer": (
        lambda: token(iss="https://other.example"), "the token's issuer is not one that is accepted here"
    ),
    "of an issuer that is nearly one": (
        lambda: token(iss=ISSUER + "/"), "the token's issuer is not one that is accepted here"
    ),
    "without an end": (lambda: token(drop="exp"), "the token lacks the claim exp"),
    "without a subject": (lambda: token(drop="sub"), "the token lacks the claim sub"),
    "without an audience": (lambda: token(drop="aud"), "the token lacks the claim aud"),
    "with an empty subject": (lambda: token(sub=""), "the token's claim sub is not a name of at most 256 characters"),
    "with a subject of two lines": (
        lambda: token(sub="ada\neve"), "the token's claim sub is not a name of at most 256 characters"
    ),
    "with groups that are none": (lambda: token(groups={"a": 1}), "the token's claim groups is not a list of names"),
    "with an end that is none": (lambda: token(exp="soon"), "the token's signature or claims are not valid"),
    "of an unknown key": (lambda: token(kid="unknown"), f"the token is signed with a key that {ISSUER} does not have"),
    "without a key's name": (
        lambda: token(header={"kid": None}), f"the token is signed with a key that {ISSUER} does not have"
    ),
    "of another key": (
        lambda: token(key=rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        "the token's signature or claims are not valid",
    ),
    "by another algorithm than its key's": (
        lambda: token("ES256", kid="RS256"), "the token is signed by an algorithm that its key is not for"
    ),
    "not signed": (
        lambda: unsigned(b'{"iss":"%s","aud":"penstock"}' % ISSUER.encode()), "the token is not signed (alg none)"
    ),
    "signed with the public key as a secret": (
        lambda: shared_secret("HS256", public_pem()), "the token is signed with a shared secret (alg HS)"
    ),
    "signed with the public key as a secret, and said to be by RSA": (
        lambda: shared_secret("RS256", public_pem()), "the token's signature or claims are not valid"
    ),
    "a token of logout": (
        lambda: token(header={"typ": "logout+jwt"}), "the token is of a type that is no credential here (header typ)"
    ),
    "a token that tells of an event": (
        lambda: token(events={"x": {}}), "the token tells of an event and is no credential (claim events)"
    ),
    "with a header that must be understood": (
        lambda: token(header={"crit": ["x"], "x": 1}), "the password is not an OIDC token (JWT)"
    ),
    "bound to a key": (
        lambda: token(cnf={"jkt": "x"}),
        "the token is bound to a key that the client would have to prove (claim cnf), which this gate can't check",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("made", "words"), BAD.values(), ids=BAD)
async def test_other_tokens_are_refused_in_words(verify: Callable[..., Any], made: Any, words: str) -> None:
    with pytest.raises(TokenError) as refused:
        await verify(made())
    assert str(refused.value) == words


@pytest.mark.parametrize("kind", ["at+jwt", "application/at+jwt", "JWT", "AT+JWT"])
async def test_access_and_id_tokens_are_accepted(verify: Callable[..., Any], kind: str) -> None:
    assert (await verify(token(header={"typ": kind}))).identity.name == "person:ada"


@pytest.mark.parametrize("size", [8_000, 20_000])
async def test_long_tokens_are_accepted(verify: Callable[..., Any], size: int) -> None:
    assert (await verify(token(padding="x" * size))).identity.name == "person:ada"


async def test_what_no_clock_can_tell_is_no_lifetime(verify: Callable[..., Any]) -> None:
    year = 366 * 86_400
    assert (await verify(token(exp=10**400))).expires < time.time() + year + 60


@pytest.mark.parametrize(
    ("skew", "late", "accepted"), [(5.0, 3, True), (5.0, 30, False), (60.0, 30, True), (0.0, 3, False)]
)
async def test_clocks_may_differ_by_as_much_as_is_configured(
    tmp_path: Path, skew: float, late: int, accepted: bool
) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(jwks())
    verifier = TokenVerifier([Issuer(ISSUER, "penstock", "person", path)], None, skew)
    made = token(exp=int(time.time()) - late)
    if accepted:
        assert 0 < (await verifier.verify(made)).expires - time.time() <= skew
    else:
        with pytest.raises(TokenError, match="has expired"):
            await verifier.verify(made)


@pytest.mark.parametrize(("azp", "accepted"), [("cli", True), ("other", False), (None, False), (["cli"], False)])
async def test_the_client_that_a_token_was_given_to(tmp_path: Path, azp: object, accepted: bool) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(jwks())
    verifier = TokenVerifier([Issuer(ISSUER, "penstock", "person", path, authorized_parties=("cli", "web"))], None)
    made = token(**({} if azp is None else {"azp": azp}))
    if accepted:
        assert (await verifier.verify(made)).identity.name == "person:ada"
    else:
        with pytest.raises(TokenError, match=r"a client that is not accepted here \(claim azp\)"):
            await verifier.verify(made)


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
    with pytest.raises(psycopg.OperationalError, match="the token has expired\\nHINT:  get a new one"):
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


async def test_whose_token_was_stolen_is_on_record_with_the_pod_that_used_it(
    start: Start, shop: Any, tmp_path: Path
) -> None:
    """It is good until it expires, and no gate can know whose hands it is in; one that is bound to a key is refused."""
    stolen, bound = token(), token(cnf={"jkt": "x"})
    used = []
    for account, pod in (("web", "web-1"), ("batch", "batch-1")):
        workload = {"namespace": "shop", "serviceAccount": account, "pod": pod, "podUid": f"u-{pod}"}
        gate = await start(shop, identity={**issuers(tmp_path), "required": False, "workload": workload})
        async with await gate.psycopg(user="token", password=stolen) as client:
            await client.execute("SELECT 1")
        (intent,) = await gate.settled(1, "intent")
        who = intent["identity"]
        used.append((who["name"], who["workload"]["serviceAccount"], who["workload"]["pod"]))
        with pytest.raises(psycopg.OperationalError, match=r"the token is bound to a key .* \(claim cnf\)"):
            await gate.psycopg(user="token", password=bound)
    assert used == [("person:ada", "web", "web-1"), ("person:ada", "batch", "batch-1")]


async def test_a_fault_of_the_gate_lets_nobody_in(
    start: Start, shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = await start(shop, identity=issuers(tmp_path), name="gate")

    async def fails(_: str) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(gate.proxy.gateway.tokens, "_verify", fails)
    with pytest.raises(psycopg.OperationalError, match=r"the token could not be verified \(ZeroDivisionError\)"):
        await gate.psycopg(password=token())


async def left(gate: Any, sessions: int) -> None:
    """Until there are no more sessions than that."""
    for _ in range(3000):
        if len(gate.proxy.gateway.connections) <= sessions:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"there are {len(gate.proxy.gateway.connections)} sessions still")


async def test_a_session_ends_with_its_token(
    start: Start, shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "seconds_left", lambda proof: 2.0)
    monkeypatch.setattr(credentials, "EXPIRY_GRACE_SECONDS", 2.0)
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


def test_what_a_refused_token_claims_is_told_and_nothing_else_of_it() -> None:
    one = token(
        sub="mallory", aud=["penstock", "other"], act={"sub": "bot", "act": {"sub": "x"}}, email="m@shop.example"
    )
    assert claimed(f" {one}\n") == {
        "issuer": ISSUER, "subject": "mallory", "audience": "penstock", "actor": "bot",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b'{"sub": 5, "iss": ["%s"], "aud": {}, "act": "bot"}' % ISSUER.encode(), {"issuer": ISSUER}),
        (b'{"sub": "", "aud": [], "iss": null, "act": {"sub": ["bot"]}}', {"actor": "bot"}),
        (b'{"sub": "\\ud800"}', {"subject": "?"}),
        (b'{"sub": "%s"}' % (b"x" * 5000), {"subject": "x" * 199 + "…"}),
        (b'["sub"]', {}),
        (b"{" + b'"act":{' * 5000, {}),
        (b'{"exp": 1e999, "sub": "ada"}', {"subject": "ada"}),
    ],
)
def test_whatever_a_token_claims_makes_an_event(payload: bytes, told: dict[str, str]) -> None:
    found = claimed(unsigned(payload))
    assert found == told
    canonical({"asserted": found})


@pytest.mark.parametrize("text", ["", "hunter2", "a.b.c", "....", "\x00" * 40, "é" * 30_000, "." * 30_000])
def test_what_is_no_token_claims_nothing(text: str) -> None:
    assert claimed(text) == {}
