"""`penstock login` and `penstock logout`, as a person runs them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from tests.cli.login.conftest import Person

from penstock_cli.login import browser, command, device, kept


@pytest.fixture(autouse=True)
def _waits_less(monkeypatch: pytest.MonkeyPatch) -> None:
    logged_in = browser.logged_in
    monkeypatch.setattr(browser, "logged_in", lambda issuer, tell, opens: logged_in(issuer, tell, opens, 15))


def by_device(ada: Person, monkeypatch: pytest.MonkeyPatch, user: str = "ada", **fields: str) -> None:
    """Somebody says yes as soon as a line is shown."""
    tell = command._tell

    def told(line: str) -> None:
        tell(line)
        if line.startswith("open "):
            ada.allow(line, user, **fields)

    monkeypatch.setattr(command, "_tell", told)
    monkeypatch.setattr(device, "logged_in", _at_once(device.logged_in))


def _at_once(logged_in: Any) -> Any:
    return lambda issuer, tell: logged_in(issuer, tell, lambda _: None)


def test_in_a_browser(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.webbrowser, "open", ada.returning)
    done = ada.login("--browser")
    assert done.exit_code == 0, done.output
    assert "logged in as ada@shop.example; the token is good for 9 min" in done.stderr
    assert "and is renewed after that" in done.stderr
    assert done.stdout == ""
    status = ada.status()
    assert status.exit_code == 0
    assert f"ada@shop.example at {ada.oidc.issuer}\nthe access token is good for 9 min" in status.stdout


def test_on_any_device(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    by_device(ada, monkeypatch)
    assert ada.login("--device").exit_code == 0
    login = kept.read()
    assert login is not None
    assert login.name == "ada@shop.example"


def test_without_a_screen_the_device_flow_is_taken(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "SSH_TTY"):
        monkeypatch.delenv(name, raising=False)
    by_device(ada, monkeypatch)
    done = ada.login()
    assert (done.exit_code, "on any device" in done.stderr) == (0, True)
    monkeypatch.setenv("DISPLAY", ":0")
    opened: list[str] = []
    monkeypatch.setattr(command.webbrowser, "open", lambda url: opened.append(url) or ada.returning(url))
    assert ada.login().exit_code == 0
    assert len(opened) == 1
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.1 22")
    assert ada.login().exit_code == 0
    assert len(opened) == 1


def test_from_the_file(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    ada.directory.mkdir()
    settings = ada.settings.model_dump(mode="json", by_alias=True, exclude_none=True)
    (ada.directory / "config.yaml").write_text(yaml.safe_dump({"login": {**settings, "token": "id"}}))
    by_device(ada, monkeypatch)
    done = CliRunner().invoke(command.command, ["--device"])
    assert done.exit_code == 0, done.output
    login = kept.read()
    assert login is not None
    assert login.settings == ada.changed(token="id")
    # Of another issuer, the file says nothing.
    other = CliRunner().invoke(command.command, ["--issuer", "https://other.example"])
    assert (other.exit_code, "give --client-id ID" in other.stderr) == (2, True)


def test_what_is_missing_is_named(ada: Person) -> None:
    done = CliRunner().invoke(command.command, [])
    assert done.exit_code == 2
    assert f"give --issuer URL, or say it under login in {ada.directory / 'config.yaml'}" in done.stderr
    plain = CliRunner().invoke(command.command, ["--issuer", "http://login.example", "--client-id", "c"])
    assert (plain.exit_code, "issuer: must be an https:// URL" in plain.stderr) == (2, True)


def test_a_login_that_fails_leaves_the_one_before(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        by_device(ada, patched)
        ada.login("--device")
    by_device(ada, monkeypatch, abort="yes")
    done = ada.login("--device")
    assert (done.exit_code, "the login was refused in the browser" in done.stderr) == (2, True)
    assert ada.status().exit_code == 0


def test_a_logout_forgets_here_and_at_the_issuer(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    by_device(ada, monkeypatch)
    ada.login("--device")
    login = kept.read()
    assert login is not None
    done = ada.logout()
    assert (done.exit_code, "logged out" in done.stderr) == (0, True)
    assert (kept.read(), ada.status().exit_code, ada.status().stdout) == (None, 1, "not logged in\n")
    with ada.oidc.http() as http:
        form = {"grant_type": "refresh_token", "client_id": "penstock-cli", "refresh_token": login.granted.refresh}
        assert http.post("/token", data=form).json()["error"] == "invalid_grant"
    again = ada.logout()
    assert (again.exit_code, "you were not logged in" in again.stderr) == (0, True)


def test_a_logout_that_the_issuer_does_not_hear_of_says_so(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    by_device(ada, monkeypatch)
    ada.login("--device")
    login = kept.read()
    assert login is not None
    kept.keep(kept.Login(ada.changed(issuer="https://127.0.0.1:1"), login.granted, login.name))
    done = ada.logout()
    assert (done.exit_code, "forgotten here, but not at the issuer" in done.stderr) == (2, True)
    assert kept.read() is None
