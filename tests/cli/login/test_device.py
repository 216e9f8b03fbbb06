"""The device flow, with a real provider; and providers that misbehave."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from tests.cli.login.conftest import Person
from tests.oidc_provider.provider import Instead

from penstock_cli.failures import Unusable
from penstock_cli.login import device
from penstock_cli.login.issuer import Granted, Issuer


def logged_in(ada: Person, says: Any, **changes: Any) -> tuple[Granted, list[str], list[float]]:
    """What is given; the lines that were shown, and how long was waited each time. `says` is done while it waits."""
    lines: list[str] = []
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        says(lines[0], len(waits))

    with Issuer(ada.changed(**changes)) as issuer:
        return device.logged_in(issuer, lines.append, sleep), lines, waits


def test_somebody_says_yes_on_another_device(ada: Person) -> None:
    def says(line: str, time: int) -> None:
        if time == 2:
            ada.allow(line)

    granted, (line,), waits = logged_in(ada, says)
    assert waits == [5, 5]
    assert "in a browser, on any device, and compare the code: " in line
    claims = jwt.decode(granted.access, options={"verify_signature": False})
    assert (claims["sub"], claims["aud"], claims["groups"]) == ("ada", "penstock", ["dba"])
    assert granted.refresh
    assert granted.access not in repr(granted)


def test_somebody_says_no(ada: Person) -> None:
    with pytest.raises(Unusable, match="the login was refused in the browser"):
        logged_in(ada, lambda line, _: ada.allow(line, abort="yes"))


def test_nobody_says_anything(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 10_000, 100))
    monkeypatch.setattr(device.time, "monotonic", lambda: next(now))
    with pytest.raises(Unusable, match="nobody has said yes in time"):
        logged_in(ada, lambda *_: None)


def test_an_issuer_that_wants_to_be_asked_less_often_is(ada: Person) -> None:
    def says(line: str, time: int) -> None:
        if time == 1:
            ada.oidc.instead("/token", Instead(json.dumps({"error": "slow_down"}), 400))
        if time == 2:
            ada.oidc.usual()
            ada.allow(line)

    assert logged_in(ada, says)[2] == [5, 10]


BEGUN = {
    "device_code": "d", "user_code": "U\x1b[2JS", "verification_uri": "https://login.example/device", "expires_in": 60,
}  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({**BEGUN, "verification_uri": "http://login.example"}, "no https:// URL"),
        ({**BEGUN, "verification_uri_complete": "javascript:alert(1)"}, "no https:// URL"),
        ({**BEGUN, "device_code": 5}, "has no device_code"),
        ({**BEGUN, "user_code": ""}, "has no user_code"),
        ({**BEGUN, "expires_in": "soon"}, "how long a person may take"),
        ({**BEGUN, "interval": -1}, "how long a person may take"),
        ({**BEGUN, "interval": 1e300}, "how long a person may take"),
    ],
)
def test_answers_that_make_no_sense(ada: Person, answer: Any, words: str) -> None:
    ada.oidc.instead("/device/auth", Instead(json.dumps(answer)))
    with pytest.raises(Unusable, match=words):
        logged_in(ada, lambda *_: None)


def test_what_the_issuer_shows_controls_no_terminal(ada: Person) -> None:
    ada.oidc.instead("/device/auth", Instead(json.dumps(BEGUN)))
    ada.oidc.instead("/token", Instead(json.dumps({"error": "bad\x1b[2J", "error_description": "\x9bmore"}), 400))
    lines: list[str] = []
    with Issuer(ada.settings) as issuer, pytest.raises(Unusable) as caught:
        device.logged_in(issuer, lines.append, lambda _: None)
    for text in (*lines, caught.value.message):
        assert text.isprintable()
