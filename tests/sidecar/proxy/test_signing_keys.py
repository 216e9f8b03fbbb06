"""Keys of a provider that runs: discovery, rotation, an issuer that is down, slow, or answers what it should not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import trustme
from tests.sidecar.proxy.oidc_provider import DISCOVERY, JWKS, Answer, Provider, running

from penstock_sidecar.proxy import signing_keys
from penstock_sidecar.proxy.issuers import Issuer, TokenError
from penstock_sidecar.proxy.tokens import TokenVerifier

AT_DISCOVERY = f"/realms/shop{DISCOVERY}"


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[Provider]:
    async with running(tmp_path) as found:
        yield found


def verifier(provider: Provider, **changes: Any) -> TokenVerifier:
    issuer = Issuer(provider.issuer, "penstock", "person", **{"ca_file": provider.ca_file, **changes})
    return TokenVerifier([issuer], None)


async def refused(verifying: TokenVerifier, token: str) -> tuple[str, str]:
    """With what words, and which remedy."""
    with pytest.raises(TokenError) as error:
        await verifying.verify(token)
    return str(error.value), error.value.remedy


async def test_keys_are_where_discovery_says_and_asked_for_once(provider: Provider) -> None:
    verifying = verifier(provider)
    proofs = await asyncio.gather(*(verifying.verify(provider.token()) for _ in range(20)))
    assert {proof.identity.name for proof in proofs} == {"person:ada"}
    assert provider.asked == {AT_DISCOVERY: 1, JWKS: 1}


async def test_or_at_a_url_that_is_given(provider: Provider) -> None:
    verifying = verifier(provider, jwks_url=f"https://localhost:{provider.port}{JWKS}")
    await verifying.verify(provider.token())
    assert provider.asked == {JWKS: 1}


async def test_a_new_key_is_asked_for_and_the_old_one_is_gone(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_keys, "PAUSE_SECONDS", 0.0)
    verifying = verifier(provider)
    old = provider.token()
    await verifying.verify(old)
    provider.rotate("second")
    await verifying.verify(provider.token())
    assert (await refused(verifying, old))[0] == f"the token is signed with a key that {provider.issuer} does not have"


async def test_unknown_keys_do_not_flood_the_issuer(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    verifying = verifier(provider)
    flood = [provider.token(kid=f"unknown-{number}") for number in range(200)]
    await asyncio.gather(*(refused(verifying, one) for one in flood))
    assert provider.asked[JWKS] == 1
    # Who has a good token is not kept waiting.
    await verifying.verify(provider.token())
    monkeypatch.setattr(signing_keys, "PAUSE_SECONDS", 0.3)
    await asyncio.sleep(0.4)
    await asyncio.gather(*(refused(verifying, one) for one in flood))
    assert provider.asked[JWKS] == 2


async def test_keys_count_for_a_while_when_the_issuer_is_down(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_keys, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(signing_keys, "PAUSE_SECONDS", 0.05)
    verifying = verifier(provider, keys_max_age=1.5)
    await verifying.verify(provider.token())
    await provider.stop()
    await asyncio.sleep(0.1)
    await verifying.verify(provider.token())
    await asyncio.sleep(1.5)
    words, remedy = await refused(verifying, provider.token())
    assert words == f"cannot fetch the signing keys of {provider.issuer}"
    assert remedy.startswith("the issuer can't be reached")
    # It is back.
    await provider.start()
    await asyncio.sleep(0.1)
    await verifying.verify(provider.token())


async def test_a_key_that_was_withdrawn_does_not_count_once_the_keys_are_old(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_keys, "FRESH_SECONDS", 0.1)
    monkeypatch.setattr(signing_keys, "PAUSE_SECONDS", 0.05)
    verifying = verifier(provider)
    old = provider.token()
    await verifying.verify(old)
    provider.rotate("second")
    await asyncio.sleep(0.2)
    assert (await refused(verifying, old))[0].startswith("the token is signed with a key that")


async def test_a_slow_issuer_is_waited_for_once_and_not_for_long(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_keys, "FETCH_SECONDS", 0.5)
    provider.instead[JWKS] = Answer(provider.keys(), seconds=30)
    verifying = verifier(provider)
    began = time.monotonic()
    words = await asyncio.gather(*(refused(verifying, provider.token()) for _ in range(20)))
    assert words[0][1] == "the issuer did not answer within 0 seconds"
    assert time.monotonic() - began < 5
    began = time.monotonic()
    await refused(verifying, provider.token())
    assert time.monotonic() - began < 0.3
    assert provider.asked[JWKS] == 1


BAD: dict[str, tuple[str, Answer, str]] = {
    "an error": (JWKS, Answer(status=500), "the issuer answers 500"),
    "nothing at all": (JWKS, Answer(b""), "what should hold the signing keys is not a JSON object"),
    "no JSON": (JWKS, Answer(b"<html>"), "what should hold the signing keys is not a JSON object"),
    "JSON of great depth": (JWKS, Answer(b"[" * 500_000), "what should hold the signing keys is not a JSON object"),
    "no set of keys": (JWKS, Answer(b'{"keys": 5}'), "the signing keys are not a JSON Web Key Set"),
    "a thousand keys": (
        JWKS, Answer(json.dumps({"keys": [{}] * 1000}).encode()), "the issuer has more than 256 signing keys"
    ),
    "more than anybody has": (JWKS, Answer(b" " * (2 << 20)), "the issuer answers more than 1048576 bytes"),
    "without an end": (JWKS, Answer(b"", endless=True), "the issuer answers more than 1048576 bytes"),
    "compressed": (
        JWKS, Answer(b"x", headers={"Content-Encoding": "gzip"}),
        "the issuer answers compressed, without being asked to"
    ),
    "from elsewhere": (
        JWKS, Answer(status=302, headers={"Location": "https://evil.example/keys"}),
        "the issuer answers with a redirect, which is not followed; give the URL where it leads",
    ),
    "discovery of another issuer": (
        AT_DISCOVERY, Answer(b'{"issuer": "https://evil.example", "jwks_uri": "https://localhost/keys"}'),
        "the discovery document is of another issuer; give issuer exactly as it is there",
    ),
    "discovery that is not found": (AT_DISCOVERY, Answer(status=404), "the issuer answers 404"),
}  # fmt: skip


@pytest.mark.parametrize(("path", "answer", "why"), BAD.values(), ids=BAD)
async def test_what_an_issuer_should_not_answer(provider: Provider, path: str, answer: Answer, why: str) -> None:
    provider.instead[path] = answer
    found = await refused(verifier(provider), provider.token())
    assert found == (f"cannot fetch the signing keys of {provider.issuer}", why)


@pytest.mark.parametrize("where", ["http://localhost/keys", 5, None, "file:///etc/passwd"])
async def test_discovery_leads_to_https_alone(provider: Provider, where: object) -> None:
    provider.instead[AT_DISCOVERY] = Answer(provider.discovery(jwks_uri=where))
    found = await refused(verifier(provider), provider.token())
    assert found[1] == "the discovery document has no jwks_uri that is an https:// URL"


async def test_the_issuers_certificate_is_verified(provider: Provider, tmp_path: Path) -> None:
    other = tmp_path / "other.crt"
    trustme.CA().cert_pem.write_to_path(str(other))
    for file, why in (
        (other, "can't be reached"),
        (None, "can't be reached"),
        (tmp_path / "none", "caFile can't be read"),
    ):
        assert why in (await refused(verifier(provider, ca_file=file), provider.token()))[1]
    assert provider.asked == {}


async def test_an_authority_without_a_file_is_the_only_one_too(provider: Provider) -> None:
    own = provider.ca_file.read_text()
    other = trustme.CA().cert_pem.bytes().decode()
    assert "can't be reached" in (await refused(verifier(provider, ca_file=None, ca=other), provider.token()))[1]
    assert provider.asked == {}
    for ca in (own, other + own):
        proof = await verifier(provider, ca_file=None, ca=ca).verify(provider.token())
        assert proof.identity.name == "person:ada"


async def test_what_went_wrong_is_not_kept(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_keys, "PAUSE_SECONDS", 0.05)
    provider.instead[JWKS] = Answer(status=500)
    verifying = verifier(provider)
    await refused(verifying, provider.token())
    del provider.instead[JWKS]
    await asyncio.sleep(0.1)
    await verifying.verify(provider.token())


async def test_a_token_without_a_keys_name_needs_that_there_is_one_key_alone(provider: Provider) -> None:
    claims = {"iss": provider.issuer, "aud": "penstock", "sub": "ada", "exp": int(time.time()) + 60}
    nameless = jwt.encode(claims, provider._keys["first"], algorithm="ES256")
    await verifier(provider).verify(nameless)
    provider.rotate("second", keep=True)
    assert (await refused(verifier(provider), nameless))[0].startswith("the token is signed with a key that")
