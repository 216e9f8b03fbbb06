"""Contexts of made-up issuers: whom they name, which are refused, and in which words."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.sidecar.proxy.contexts import AUDIENCE, context
from tests.sidecar.proxy.test_tokens import ISSUER, KEYS, jwks, unsigned

from penstock_core.identity import Identity, Principal, Workload
from penstock_core.token_issuers import ContextSettings
from penstock_sidecar.proxy import context_tokens
from penstock_sidecar.proxy.context_tokens import ContextVerifier
from penstock_sidecar.proxy.issuers import Issuer, TokenError

WEB = Workload("shop", "web", "web-1", "u-1")
OWN = Identity(WEB)
ADA = Principal("person", "ada", ISSUER)
Make = Callable[..., ContextVerifier]


@pytest.fixture
def verifier(tmp_path: Path) -> Make:
    path = tmp_path / "jwks.json"
    path.write_text(jwks())

    def make(workload: Workload | None = WEB, clock_skew: float = 5.0, **terms: Any) -> ContextVerifier:
        more = {name: terms.pop(name) for name in ("kind_claim",) if name in terms}
        issuer = Issuer(ISSUER, AUDIENCE, "person", path, context=ContextSettings.model_validate(terms), **more)
        login = Issuer(ISSUER, "penstock", "person", path)
        return ContextVerifier([login, issuer], workload, clock_skew)

    return make


async def refusal(verifier: ContextVerifier, token: str, own: Identity = OWN) -> TokenError:
    with pytest.raises(TokenError) as caught:
        await verifier.verify(token, own)
    assert not any(part in str(caught.value) + caught.value.remedy for part in token.split(".") if len(part) > 8)
    return caught.value


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES384", "EdDSA", "PS256"])
async def test_a_good_one_names_the_person_whom_the_session_acts_for(verifier: Make, algorithm: str) -> None:
    proof = await verifier().verify(context(algorithm, exp=int(time.time()) + 60), OWN)
    assert proof.identity == OWN.acting_for(ADA)
    assert 55 < proof.expires - time.time() < 66


def bad() -> dict[str, tuple[dict[str, Any], str]]:
    """The claims of each, as of now, and why it is refused."""
    return {
        "expired": ({"exp": int(time.time()) - 60, "iat": int(time.time()) - 120}, "has expired"),
        "not yet valid": ({"nbf": int(time.time()) + 60}, "not valid yet"),
        "of the future": ({"iat": int(time.time()) + 60, "exp": int(time.time()) + 120}, "not valid yet"),
        "for a login, too": ({"aud": ["penstock", AUDIENCE]}, "several audiences"),
        "for a login": ({"aud": "penstock"}, f"audience is not {AUDIENCE}"),
        "of another issuer": ({"iss": "https://other.example"}, "not one that is accepted"),
        "without iat": ({"drop": "iat"}, "claim iat"),
        "with iat as a text": ({"iat": "now"}, "not valid"),
        "without exp": ({"drop": "exp"}, "lacks the claim exp"),
        "without sub": ({"drop": "sub"}, "lacks the claim sub"),
        "for an hour": ({"exp": int(time.time()) + 3600}, "lives for more than 300 s"),
        "with an actor": ({"act": {"sub": "bot"}}, "names an agent"),
        "with an empty actor": ({"act": None}, "names an agent"),
        "bound to a key": ({"cnf": {"jkt": "x"}}, "claim cnf"),
        "of another pod": ({"pod_uid": "u-2"}, "another pod"),
        "of no pod": ({"pod_uid": ""}, "another pod"),
        "of a list of pods": ({"pod_uid": ["u-1"]}, "another pod"),
        "of another service account": ({"service_account": "shop/till"}, "another pod or service account"),
        "of a service account by its bare name": ({"service_account": "web"}, "another pod or service account"),
        "of a service": ({"kind": "service"}, "names no person"),
        "of an agent": ({"kind": "agent"}, "names no person"),
    }  # fmt: skip


@pytest.mark.parametrize("kind", bad())
async def test_others_are_refused(verifier: Make, kind: str) -> None:
    claims, words = bad()[kind]
    assert words in str(await refusal(verifier(kind_claim="kind"), context(**claims)))


async def test_forged_ones_are_refused(verifier: Make) -> None:
    one = verifier()
    public = KEYS["RS256"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = json.dumps({"iss": ISSUER, "aud": AUDIENCE}).encode()
    assert "not signed" in str(await refusal(one, unsigned(claims)))
    # The public key taken for a shared secret.
    header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "RS256"}).encode()).rstrip(b"=")
    claims = context().split(".")[1].encode()
    mac = base64.urlsafe_b64encode(hmac.digest(public, header + b"." + claims, "sha256")).rstrip(b"=")
    assert "shared secret" in str(await refusal(one, b".".join((header, claims, mac)).decode()))
    head, body, _ = context().split(".")
    assert "signature" in str(await refusal(one, f"{head}.{body}.{context(sub='bob').split('.')[2]}"))
    assert "not an OIDC token" in str(await refusal(one, "x" * 100))


async def test_what_binds_one_to_this_pod_is_accepted(verifier: Make) -> None:
    for claims in (
        {"pod_uid": "u-1"}, {"service_account": "shop/web"}, {"service_account": "system:serviceaccount:shop:web"},
        {"pod_uid": "u-1", "service_account": "shop/web"},
    ):  # fmt: skip
        assert (await verifier().verify(context(**claims), OWN)).identity.beneficiary == ADA


async def test_the_claims_may_have_other_names_and_be_required(verifier: Make) -> None:
    terms = {
        "podUidClaim": "kubernetes.pod.uid", "serviceAccountClaim": "sa", "boundTo": ["podUid", "serviceAccount"],
    }  # fmt: skip
    one = verifier(**terms)
    bound = {"kubernetes": {"pod": {"uid": "u-1"}}, "sa": "shop/web"}
    assert (await one.verify(context(**bound), OWN)).identity.beneficiary == ADA
    assert "lacks the claim kubernetes.pod.uid" in str(await refusal(one, context(sa="shop/web")))
    assert "lacks the claim sa" in str(await refusal(one, context(kubernetes={"pod": {"uid": "u-1"}})))
    assert "another pod" in str(await refusal(one, context(**{**bound, "kubernetes": {"pod": {"uid": "u-2"}}})))


async def test_a_gate_that_is_in_no_pod_accepts_none_that_is_bound_to_one(verifier: Make) -> None:
    till = Identity(None, Principal("service", "till", ISSUER))
    one = verifier(None)
    assert (await one.verify(context(), till)).identity == till.acting_for(ADA)
    assert "another pod" in str(await refusal(one, context(pod_uid="u-1"), till))
    assert "another pod" in str(await refusal(one, context(service_account="shop/web"), till))
    assert "another pod" in str(await refusal(verifier(Workload("shop", "web")), context(pod_uid=""), OWN))


async def test_who_acts_for_themselves_or_somebody_acts_for_nobody_else(verifier: Make) -> None:
    bot = Principal("agent", "bot", ISSUER)
    assert (await verifier().verify(context(), Identity(WEB, bot))).identity.name == "agent:bot for person:ada"
    for own in (Identity(WEB, ADA), Identity(WEB, bot, (ADA,))):
        assert "can't act for others" in str(await refusal(verifier(), context(), own))


async def test_one_that_may_be_used_once_is(verifier: Make) -> None:
    one = verifier(singleUse=True)
    token = context(jti="1")
    await one.verify(token, OWN)
    assert "used before" in str(await refusal(one, token))
    # Another token of the same id is the same one, and another id is not.
    assert "used before" in str(await refusal(one, context(jti="1", sub="bob")))
    await one.verify(context(jti="2"), OWN)
    assert "lacks an id" in str(await refusal(one, context()))
    assert "not valid" in str(await refusal(one, context(jti=5)))
    assert "lacks an id" in str(await refusal(one, context(jti="x" * 257)))
    # One that is refused is not used up.
    assert "another pod" in str(await refusal(one, context(jti="3", pod_uid="u-2")))
    await one.verify(context(jti="3"), OWN)
    # Without it, one counts until it expires.
    often = verifier()
    assert await often.verify(token, OWN) == await often.verify(token, OWN)


async def test_of_two_that_come_at_once_one_is_used(verifier: Make) -> None:
    one, token = verifier(singleUse=True), context(jti="1")
    done = await asyncio.gather(*(one.verify(token, OWN) for _ in range(5)), return_exceptions=True)
    assert [isinstance(each, TokenError) for each in done].count(False) == 1


async def test_used_ones_are_forgotten_when_they_expired_and_never_before(
    verifier: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context_tokens, "MOST_USED", 3)
    one = verifier(clock_skew=0.0, singleUse=True)
    now = int(time.time())
    for place in range(2):
        await one.verify(context(jti=f"short {place}", exp=now + 2), OWN)
    await one.verify(context(jti="long"), OWN)
    assert "too many contexts" in str(await refusal(one, context(jti="more")))
    monkeypatch.setattr(time, "time", lambda: now + 3.0)
    await one.verify(context(jti="more", iat=now), OWN)
    assert "used before" in str(await refusal(one, context(jti="long", iat=now)))
