"""Signing in with a real provider: who gets in as what, and every way in which it must not work."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.collector.conftest import READER
from tests.collector.web.signing_in import HALF_DONE, SESSION, Person, query_of, said
from tests.oidc_provider.provider import Instead, OidcProvider

from penstock_collector.auth import provider as provider_module
from penstock_collector.web.sign_in import _host

DISCOVERY = "/.well-known/openid-configuration"


# ── Who gets in ──


async def test_somebody_signs_in_and_is_who_they_are(person: Person, desk: Any) -> None:
    assert 'href="/login/provider?next=/streams"' in (await person.get("/login?next=/streams")).text
    assert "Sign in with Example" in (await person.get("/login")).text
    there = await person.leave_for_provider("/login/provider?next=/streams")
    asked = query_of(there)
    assert (asked["code_challenge_method"], asked["response_type"], asked["scope"]) == (
        "S256", "code", "openid profile email groups",
    )  # fmt: skip
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 43
    answer = await person.come_back(person.visitor.sign_in(there, "ada"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/streams")
    set_ = {part.partition("=")[0]: part for part in answer.headers.get_list("set-cookie")}
    kept = set_[SESSION].lower()
    assert all(word in kept for word in ("; secure", "; httponly", "; samesite=lax", "; path=/"))
    assert "domain" not in kept
    assert "max-age=0" in set_[HALF_DONE].lower()
    page = (await person.get("/streams")).text
    assert "ada@shop.example" in page
    assert "auditor, viewer" in page
    assert (await person.get("/v1/export")).status_code == 200
    assert (await person.get("/requests")).status_code == 403
    first = next(one for one in await desk.readings() if one["action"] == "signed in")
    assert first["by"] == {
        "how": "sign-in", "issuer": query_of(there).get("iss", first["by"]["issuer"]), "kind": "person",
        "name": "ada@shop.example", "roles": ["auditor", "viewer"], "subject": "ada",
    }  # fmt: skip
    assert first["session"]


async def test_each_reading_is_on_record_under_their_name(person: Person, desk: Any) -> None:
    await person.sign_in("ada")
    await person.get("/?identity=bob&q=cards&decision=deny")
    await person.get("/statements/gw1/boot1/7")
    await person.get("/v1/export?stream=gw1/boot1")
    await person.post("/logout")
    found = [one for one in await desk.readings() if one.get("by", {}).get("subject") == "ada"]
    assert [one["action"] for one in found] == ["signed in", "searched", "opened", "exported", "signed out"]
    assert {one["name"]: one["value"] for one in found[1]["filters"]} == {
        "identity": "bob", "q": "cards", "decision": "deny",
    }  # fmt: skip
    assert [one["what"] for one in found[1:4]] == ["/", "/statements/gw1/boot1/7", "/v1/export"]
    assert len({one["session"] for one in found}) == 1


async def test_who_has_no_role_does_not_get_in(person: Person, desk: Any) -> None:
    answer = await person.sign_in("cem")
    assert answer.status_code == 403
    assert said(answer) == "None of your groups has a role here. Ask an administrator of this collector for one."
    assert person.cookie() is None
    (failed,) = [one for one in await desk.readings() if one["action"] == "sign-in failed"]
    assert failed["reason"].startswith("None of your groups")


async def test_somebody_who_does_not_want_to(person: Person) -> None:
    answer = await person.come_back(person.visitor.refuse(await person.leave_for_provider()))
    assert (answer.status_code, said(answer)) == (403, "The provider did not let you in (access_denied).")


async def test_it_leads_to_the_public_url_first_and_once(desk: Any) -> None:
    there = f"{desk.running.url}/login/provider?here=1&next=%2Fstreams"
    for host in ("localhost:1", "", "evil.example"):
        answer = await desk.http.get("/login/provider?next=/streams", headers={"host": host})
        assert answer.headers["location"] == there
    # Behind a proxy that names another host, it goes on.
    answer = await desk.http.get(there, headers={"host": "collector.svc"})
    assert "/auth?" in answer.headers["location"]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://audit.example", "audit.example"),
        ("https://Audit.example:443", "audit.example"),
        ("https://audit.example:8443", "audit.example:8443"),
        ("http://127.0.0.1:80", "127.0.0.1"),
        ("https://[::1]:443", "[::1]"),
    ],
)
def test_what_browsers_call_the_public_url(url: str, host: str) -> None:
    assert _host(url) == host


async def test_the_cookie_lasts_as_long_as_the_sign_in(start: Any, sign_in_settings: Any, oidc: OidcProvider) -> None:
    desk = await start(sign_in_settings.model_copy(update={"sign_in_hours": 48.0}))
    person = Person(desk.running.url, oidc.visitor())
    answer = await person.sign_in("ada")
    assert f"max-age={48 * 3600}" in answer.headers["set-cookie"].lower()
    await person.http.aclose()


async def test_a_live_page_is_no_use_of_a_sign_in(person: Person, desk: Any) -> None:
    await person.sign_in("ada")
    (session,) = desk.running.collector.viewers.sessions.listed()
    used = session.used
    await asyncio.sleep(0.05)
    async with person.http.stream("GET", "/tail") as stream:
        assert stream.status_code == 200
    assert session.used == used < session.watched
    await person.get("/")
    assert session.used > used


async def test_groups_that_only_userinfo_tells_count(person: Person, oidc: OidcProvider) -> None:
    there = await person.leave_for_provider()
    claims = {"sub": "ada", "aud": "penstock", "nonce": query_of(there)["nonce"]}
    oidc.token_answers["id_token"] = oidc.sign(claims)
    oidc.apply()
    assert (await person.come_back(person.visitor.sign_in(there, "ada"))).status_code == 303
    assert (await person.get("/readings")).status_code == 200
    assert oidc.asked("/me") == 1


# ── Going out ──


async def test_signing_out_ends_it_here_and_there(person: Person, oidc: OidcProvider, desk: Any) -> None:
    await person.sign_in("ada")
    stolen = person.cookie() or ""
    page = await person.post("/logout")
    assert "Signed out" in page.text
    (there,) = set(re.findall(r'url=([^"]+)"', page.text))
    back = person.visitor.sign_out(there.replace("&amp;", "&"))
    assert back == f"{desk.running.url}/login"
    assert person.cookie() is None
    # A cookie that was stolen before opens nothing after.
    thief = await desk.http.get("/", headers={"cookie": f"{SESSION}={stolen}"})
    assert (thief.status_code, thief.headers["location"]) == (303, "/login")
    # The provider asks who it is again.
    assert 'name="user"' in person.visitor.walk(await person.leave_for_provider(), user="nobody")


async def test_signing_out_works_while_the_provider_is_down(
    person: Person, oidc: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await person.sign_in("ada")
    monkeypatch.setattr(provider_module, "FRESH_SECONDS", 0.0)
    oidc.instead(DISCOVERY, Instead(status=500))
    assert (await person.post("/logout")).status_code in (200, 303)
    assert (await person.get("/")).headers["location"] == "/login"


# ── What must not work ──


async def test_a_state_is_good_once(person: Person) -> None:
    back = person.visitor.sign_in(await person.leave_for_provider(), "ada")
    half_done = person.cookie(HALF_DONE) or ""
    assert (await person.come_back(back)).status_code == 303
    person.http.cookies.set(HALF_DONE, half_done, domain="127.0.0.1")
    again = await person.come_back(back)
    assert (again.status_code, "was used already" in said(again)) == (403, True)


async def test_a_code_is_good_once(person: Person) -> None:
    used = query_of(back := person.visitor.sign_in(await person.leave_for_provider(), "ada"))
    assert (await person.come_back(back)).status_code == 303
    state = query_of(await person.leave_for_provider())["state"]
    again = await person.come_back("/login/callback?" + urlencode({**used, "state": state}))
    assert (again.status_code, said(again)) == (403, "The provider does not take this sign-in. Sign in again.")


async def test_somebody_elses_code_is_good_for_nobody(people: Callable[[], Person]) -> None:
    ada, eve = people(), people()
    stolen = query_of(ada.visitor.sign_in(await ada.leave_for_provider(), "ada"))
    state = query_of(await eve.leave_for_provider())["state"]
    answer = await eve.come_back("/login/callback?" + urlencode({**stolen, "state": state}))
    assert (answer.status_code, said(answer)) == (403, "The provider does not take this sign-in. Sign in again.")


async def test_it_ends_in_the_browser_where_it_began(people: Callable[[], Person]) -> None:
    ada, victim = people(), people()
    back = ada.visitor.sign_in(await ada.leave_for_provider(), "ada")
    for path in ("/login", "/login/provider"):
        await victim.get(path)
        answer = await victim.come_back(back)
        assert (answer.status_code, said(answer)[:48]) == (403, "This sign-in was not begun in this browser, is o")
        assert victim.cookie() is None
    assert (await ada.come_back(back)).status_code == 303


@pytest.mark.parametrize("sealed", ["", "x", "gAAAAA" + "x" * 90, "\N{SNOWMAN}", "x" * 5000])
async def test_a_cookie_that_is_not_ours(person: Person, sealed: str) -> None:
    back = person.visitor.sign_in(await person.leave_for_provider(), "ada")
    value = sealed.encode()
    person.http.cookies.clear()
    answer = await person.http.get(back, headers={"cookie": f"{HALF_DONE}=".encode() + value})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": None}, "This sign-in was not begun in this browser"),
        ({"iss": None}, "The answer is of another provider"),
        ({"iss": "https://other.example"}, "The answer is of another provider"),
        ({"code": None}, "The provider did not let you in (an error)"),
        ({"code": "x" * 9000}, "The provider did not let you in (an error)"),
        ({"error": "<script>alert(1)</script>", "code": None}, "The provider did not let you in (an error)"),
    ],
)
async def test_an_answer_that_was_changed(person: Person, change: dict[str, str | None], why: str) -> None:
    back = person.visitor.sign_in(await person.leave_for_provider(), "ada")
    query = {name: value for name, value in {**query_of(back), **change}.items() if value is not None}
    answer = await person.come_back("/login/callback?" + urlencode(query))
    assert answer.status_code == 403
    assert said(answer).startswith(why)
    assert "<script>alert" not in answer.text


async def test_an_answer_that_says_something_twice(person: Person) -> None:
    back = person.visitor.sign_in(await person.leave_for_provider(), "ada")
    answer = await person.come_back(back + "&code=another")
    assert (answer.status_code, said(answer)) == (403, "The provider did not let you in (an error).")


HOUR = 3600


def forged(oidc: OidcProvider, claims: dict[str, Any], how: str) -> str:
    """A token as an attacker would make one."""
    if how == "none":
        import jwt

        return jwt.encode({"iss": oidc.issuer, "exp": time.time() + 60, **claims}, None, algorithm="none")
    if how == "HS of the public key":
        import base64
        import hashlib
        import hmac
        import json

        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        from jwt import PyJWK

        public = PyJWK({name: oidc.keys[0][name] for name in ("kty", "n", "e", "kid")}).key
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        now = int(time.time())

        def part(value: Any) -> str:
            return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

        signed = (
            part({"alg": "HS256", "kid": "first"})
            + "."
            + part({"iss": oidc.issuer, "iat": now, "exp": now + 60, **claims})
        )
        mac = hmac.new(pem, signed.encode(), hashlib.sha256).digest()
        return signed + "." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
    if how == "HS of the client's secret":
        return oidc.sign(claims, key="geheim-und-lang-genug-fuer-alle-tests", alg="HS256")
    if how == "another key":
        from cryptography.hazmat.primitives.asymmetric import rsa

        return oidc.sign(claims, key=rsa.generate_private_key(public_exponent=65537, key_size=2048))
    if how == "an unknown key":
        return oidc.sign(claims, kid="unknown")
    if how == "another algorithm":
        return oidc.sign(claims, alg="PS256")
    if how == "an access token":
        return oidc.sign(claims, typ="at+jwt")
    return {"nothing": "", "no token": "a.b", "cut off": oidc.sign(claims)[:-10]}[how]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("none", "The provider's token is not signed."),
        ("HS of the public key", "The provider's token is signed with a shared secret."),
        ("HS of the client's secret", "The provider's token is signed with a shared secret."),
        ("another key", "The signature or the claims of the provider's token are not valid."),
        ("an unknown key", "The provider's token is signed with a key that the provider does not have."),
        ("another algorithm", "The provider's token is signed by an algorithm that its key is not for."),
        ("an access token", "The provider's token is no ID token (header typ)."),
        ("nothing", "The provider's answer holds no ID token that can be read."),
        ("no token", "The provider's answer holds no ID token that can be read."),
        ("cut off", "The signature or the claims of the provider's token are not valid."),
    ],
)
async def test_a_token_that_is_not_the_providers(person: Person, oidc: OidcProvider, how: str, why: str) -> None:
    there = await person.leave_for_provider()
    claims = {"sub": "ada", "aud": "penstock", "nonce": query_of(there)["nonce"], "groups": ["platform"]}
    oidc.token_answers["id_token"] = forged(oidc, claims, how)
    oidc.apply()
    answer = await person.come_back(person.visitor.sign_in(there, "ada"))
    assert answer.status_code == 403
    assert said(answer).startswith(why)
    assert person.cookie() is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"aud": "another"}, "The provider's token is for another client."),
        ({"aud": ["penstock", "another"]}, "The provider's token was given to another client (claim azp)."),
        ({"aud": ["penstock", "another"], "azp": "another"}, "The provider's token was given to another client"),
        ({"azp": "another"}, "The provider's token was given to another client (claim azp)."),
        ({"iss": "https://other.example"}, "The provider's token is of another issuer."),
        ({"exp": -HOUR}, "The provider's token has expired."),
        ({"iat": HOUR, "exp": 2 * HOUR}, "The provider's token is not valid yet."),
        ({"nbf": HOUR}, "The provider's token is not valid yet."),
        ({"exp": None}, "The provider's token lacks the claim exp."),
        ({"sub": None}, "The provider's token lacks the claim sub."),
        ({"act": {"sub": "support-bot"}}, "The provider's token says that somebody acts for its subject (claim act)."),
        ({"act": {}}, "The provider's token says that somebody acts for its subject (claim act)."),
        ({"nonce": "another"}, "The provider's token belongs to another sign-in."),
        ({"nonce": None}, "The provider's token belongs to another sign-in."),
        ({"nonce": ["x"]}, "The provider's token belongs to another sign-in."),
        ({"sub": "a\u202eb"}, "The provider's claim sub is not a name"),
        ({"sub": "x" * 300}, "The provider's claim sub is not a name"),
        ({"groups": {"platform": True}}, "The provider's claim groups is not a list of names."),
        ({"groups": [1]}, "The provider's claim groups is not a list of names."),
        ({"groups": ["platform", "\ud800"]}, "The provider's claim groups is not a list of names."),
        ({"groups": ["g"] * 5000}, "The provider's claim groups has more than 4096 groups."),
        ({"groups": None, "_claim_names": {"groups": "src1"}}, "The provider leaves out your groups"),
        ({"groups": None, "hasgroups": True}, "The provider leaves out your groups"),
        ({"groups": ["x" * 70_000]}, "The provider's token is longer than 32768 bytes."),
    ],
)
async def test_a_token_that_says_what_it_must_not(
    person: Person, oidc: OidcProvider, change: dict[str, Any], why: str
) -> None:
    there = await person.leave_for_provider()
    now = int(time.time())
    times = {name: now + change[name] for name in ("exp", "iat", "nbf") if isinstance(change.get(name), int)}
    claims = {
        "sub": "ada",
        "aud": "penstock",
        "nonce": query_of(there)["nonce"],
        "groups": ["staff"],
        **change,
        **times,
    }
    oidc.token_answers["id_token"] = oidc.sign(claims)
    oidc.apply()
    answer = await person.come_back(person.visitor.sign_in(there, "ada"))
    assert answer.status_code == 403
    assert said(answer).startswith(why)
    assert person.cookie() is None


async def test_groups_that_are_nowhere(person: Person, oidc: OidcProvider) -> None:
    oidc.user("ada", groups=None, email="ada@shop.example", email_verified=True)
    answer = await person.sign_in("ada")
    assert answer.status_code == 403
    assert said(answer).startswith("The provider says nothing of your groups (claim groups)")


async def test_a_session_is_never_one_that_was_planted(person: Person, desk: Any) -> None:
    person.http.cookies.set(SESSION, "planted" * 6, domain="127.0.0.1")
    await person.sign_in("ada")
    assert person.cookie() not in (None, "planted" * 6)
    planted = await desk.http.get("/", headers={"cookie": f"{SESSION}={'planted' * 6}"})
    assert planted.headers["location"] == "/login"


async def test_signing_in_again_ends_the_session_before(person: Person, desk: Any) -> None:
    await person.sign_in("ada")
    before = person.cookie()
    await person.sign_in("ada")
    assert person.cookie() != before
    assert (await desk.http.get("/", headers={"cookie": f"{SESSION}={before}"})).status_code == 303


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
        "javascript:alert(1)", "/login?next=//evil.example", "/logout", "evil.example", " //evil.example", "/\n/evil",
    ],
)  # fmt: skip
async def test_next_leads_nowhere_else(person: Person, target: str) -> None:
    answer = await person.sign_in("ada", "/login/provider?" + urlencode({"next": target}))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_where_to_go_may_be_too_long_for_a_cookie(person: Person) -> None:
    answer = await person.sign_in("ada", "/login/provider?" + urlencode({"next": "/?q=" + "x" * 6000}))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_ten_thousand_that_begin_and_never_end(person: Person, desk: Any, oidc: OidcProvider) -> None:
    back = person.visitor.sign_in(await person.leave_for_provider(), "ada")
    sign_in = desk.running.collector.viewers.sign_in
    before = oidc.asked(DISCOVERY)
    for _ in range(10_000):
        await sign_in.begin("/")
    assert len(sign_in.seal._ended) == 0, "nothing is kept of them"
    assert oidc.asked(DISCOVERY) - before <= 1
    assert (await person.come_back(back)).status_code == 303, "and the one that began before them ends"


# ── The provider in trouble ──


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_module, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(provider_module, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(provider_module, "FRESH_SECONDS", 0.0)


@pytest.mark.parametrize(
    ("path", "instead", "why"),
    [
        (DISCOVERY, Instead(status=500), "it answers 500"),
        (DISCOVERY, Instead(seconds=5), "it did not answer within 1 seconds"),
        (DISCOVERY, Instead(body="[]"), "it answers what is no JSON object"),
        (DISCOVERY, Instead(body="x" * 2_000_000), "it answers more than 1048576 bytes"),
        (DISCOVERY, Instead(endless=True), "it "),
        (DISCOVERY, Instead(body='{"issuer": "https://other.example"}'), "its discovery document is of another issuer"),
        (DISCOVERY, Instead(status=302, headers={"location": "https://localhost:1"}), "it answers 302"),
        ("/jwks", Instead(body='{"keys": 5}'), "the signing keys are not a JSON Web Key Set"),
        ("/jwks", Instead(status=404), "it answers 404"),
    ],
)
async def test_a_provider_that_can_not_be_asked(
    impatient: None, person: Person, oidc: OidcProvider, path: str, instead: Instead, why: str
) -> None:
    oidc.instead(path, instead)
    answer = await person.get("/login/provider")
    assert answer.status_code == 503
    assert said(answer).startswith(f"The provider can't be asked at the moment: {why}")
    assert (await person.get("/login")).status_code == 200, "tokens still let in"
    oidc.usual()
    await asyncio.sleep(0.1)
    assert (await person.sign_in("ada")).status_code == 303


@pytest.mark.parametrize(
    ("instead", "status", "why"),
    [
        (Instead(status=500), 503, "The provider can't be asked at the moment: it answers 500. Try again."),
        (Instead(seconds=5), 503, "The provider can't be asked at the moment: it did not answer within 1 seconds"),
        (Instead(endless=True), 503, "The provider can't be asked at the moment: it "),
        (
            Instead(status=401, body='{"error": "invalid_client"}'),
            503,
            "The provider refuses this collector as its client",
        ),
        (Instead(status=400, body="<html>"), 503, "The provider refuses this collector as its client"),
        (Instead(body='{"id_token": 5}'), 503, "The provider can't be asked at the moment: its answer can't be read"),
        (Instead(body="{}"), 403, "The provider's answer holds no ID token that can be read."),
    ],
)
async def test_a_provider_that_fails_at_the_last_step(
    impatient: None, person: Person, oidc: OidcProvider, instead: Instead, status: int, why: str
) -> None:
    back = person.visitor.sign_in(await person.leave_for_provider(), "ada")
    oidc.instead("/token", instead)
    answer = await person.come_back(back)
    assert (answer.status_code, said(answer)[: len(why)]) == (status, why)
    assert person.cookie() is None


async def test_a_provider_with_new_keys(person: Person, oidc: OidcProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_module, "PAUSE_SECONDS", 0.0)
    assert (await person.sign_in("ada")).status_code == 303
    for kind in ("RSA", "EC"):
        oidc.rotate(kind)
        assert (await person.sign_in("ada")).status_code == 303
    assert oidc.asked("/jwks") <= 3


async def test_a_secret_that_was_replaced(person: Person, oidc: OidcProvider, sign_in_settings: Any) -> None:
    redirect = oidc.clients["penstock"]["redirect_uris"]
    oidc.client("penstock", redirect_uris=redirect, secret="a new one, with : and % in it")
    back = person.visitor.sign_in(await person.leave_for_provider(), "ada")
    assert said(await person.come_back(back)).startswith("The provider refuses this collector as its client")
    sign_in_settings.sign_in_client_secret_file.write_text("a new one, with : and % in it\n")
    assert (await person.sign_in("ada")).status_code == 303


# ── What can't be recorded is not given ──


async def test_without_a_record_nobody_signs_in_and_nothing_is_read(
    person: Person, people: Callable[[], Person], desk: Any, sender: Any
) -> None:
    await desk.send(sender.seal({"kind": "open", "database": "shop", "version": "0.1.0"}) + sender.statement(1))
    await person.sign_in("ada")
    database = desk.running.collector.settings.database
    database.rename(database.with_name("away"))
    for path in ("/", "/statements/gw1/boot1/2", "/v1/events", "/v1/export", "/tail"):
        answer = await person.get(path)
        assert answer.status_code == 503, path
        assert "This reading can't be recorded, and so is not given" in answer.text.replace("&#39;", "'")
        assert "SELECT" not in answer.text
    late = people()
    answer = await late.sign_in("ada")
    assert (answer.status_code, late.cookie()) == (503, None)
    assert said(answer).startswith("Signing in can't be recorded")
    answer = await desk.http.post("/login", data={"token": READER}, headers={"sec-fetch-site": "same-origin"})
    assert answer.status_code == 503
    assert (await person.post("/logout")).status_code == 200, "and signing out is always possible"
    database.with_name("away").rename(database)
