"""The browser flow, with a real provider; and what somebody else could bring back."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import pytest
from tests.cli.login.conftest import Person, in_thread

from penstock_cli.failures import Unusable
from penstock_cli.login import browser
from penstock_cli.login.issuer import Issuer


def logged_in(ada: Person, opens: Callable[[str], Any], wait: float = 10, **changes: Any) -> Any:
    with Issuer(ada.changed(**changes)) as issuer:
        granted, nonce = browser.logged_in(issuer, lambda _: None, opens, wait)
        return granted, issuer.who(granted.id_token, nonce)


def with_fields(**fields: str | None) -> Callable[[str], str]:
    """The same URL with other fields (None: without it)."""

    def changed(url: str) -> str:
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()} | fields
        return urlunsplit(parts._replace(query=urlencode({k: v for k, v in query.items() if v is not None})))

    return changed


def test_somebody_logs_in_and_is_told_to_go_back(ada: Person) -> None:
    said: list[Any] = []
    opened: list[str] = []

    def opens(url: str) -> None:
        opened.append(url)
        said.append(ada.returning(url))

    granted, claims = logged_in(ada, opens)
    assert (claims["sub"], claims["email"]) == ("ada", "ada@shop.example")
    assert granted.refresh
    status, text = said[0].result(5)
    assert (status, "go back to your terminal" in text) == (200, True)
    asked = parse_qs(urlsplit(opened[0]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["code_challenge"][0]) == 43
    assert asked["redirect_uri"][0].startswith("http://127.0.0.1:")


def test_each_login_has_secrets_of_its_own(ada: Person) -> None:
    opened: list[dict[str, list[str]]] = []

    def opens(url: str) -> None:
        opened.append(parse_qs(urlsplit(url).query))
        ada.returning(url)

    logged_in(ada, opens)
    logged_in(ada, opens)
    for name in ("state", "nonce", "code_challenge"):
        assert opened[0][name] != opened[1][name]
        assert len(opened[0][name][0]) >= 32


def test_somebody_says_no(ada: Person) -> None:
    def opens(url: str) -> None:
        in_thread(lambda: ada.follow(ada.oidc.visitor().refuse(url)))

    with pytest.raises(Unusable, match="the login was refused in the browser: access_denied"):
        logged_in(ada, opens)


def test_nobody_comes(ada: Person) -> None:
    with pytest.raises(Unusable, match="nobody has logged in in time"):
        logged_in(ada, lambda _: None, wait=0.3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_fields(iss="https://evil.example"), r"not of the issuer that was asked \(iss\)"),
        (with_fields(iss=None), r"not of the issuer that was asked \(iss\)"),
        (with_fields(code=None), "holds no code"),
        (with_fields(code="another"), "the issuer refuses: invalid_grant"),
        (with_fields(error="x\x1b[2J", error_description="y"), "refused in the browser"),
    ],
)
def test_answers_that_were_tampered_with(ada: Person, change: Callable[[str], str], words: str) -> None:
    with pytest.raises(Unusable, match=words) as caught:
        logged_in(ada, lambda url: ada.returning(url, change=change))
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    "path",
    [
        "/", "/callback", "/callback?code=stolen", "/callback?code=stolen&state=guess", "/other?state=",
        "/callback?state=a&state=b", "/favicon.ico", "/callback?" + "a=1&" * 50,
    ],
)  # fmt: skip
def test_what_others_bring_is_not_taken_and_ends_nothing(ada: Person, path: str) -> None:
    statuses: list[int] = []

    def opens(url: str) -> None:
        def work() -> None:
            back = urlsplit(parse_qs(urlsplit(url).query)["redirect_uri"][0])
            connection = http.client.HTTPConnection("127.0.0.1", back.port, timeout=10)
            connection.request("GET", path)
            statuses.append(connection.getresponse().status)
            connection.close()
            ada.follow(ada.oidc.visitor().sign_in(url, "ada"))

        in_thread(work)

    assert logged_in(ada, opens)[1]["sub"] == "ada"
    assert statuses == [404]


def test_a_page_is_told_what_to_ask(ada: Person) -> None:
    opened: list[str] = []

    def opens(url: str) -> None:
        opened.append(url)
        ada.returning(with_fields(prompt=None)(url))

    logged_in(ada, opens, prompt="consent", audience="gates")
    asked = parse_qs(urlsplit(opened[0]).query)
    assert (asked["prompt"], asked["audience"]) == (["consent"], ["gates"])


def test_an_id_token_of_another_login_is_noticed(ada: Person) -> None:
    ada.oidc.token_answers["id_token"] = ada.oidc.sign({"sub": "eve", "aud": "penstock-cli", "nonce": "another"})
    ada.oidc.apply()
    with pytest.raises(Unusable, match=r"of another login \(nonce\)"):
        logged_in(ada, ada.returning)
