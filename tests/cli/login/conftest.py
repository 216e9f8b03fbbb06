"""A person with files of their own, at a real provider that knows this command as `penstock-cli`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.oidc_provider.provider import OidcProvider

from penstock_cli.client_settings import LoginSettings
from penstock_cli.login import command as login

RESOURCE = "urn:penstock:gate"


def in_thread(action: Callable[[], Any]) -> Future[Any]:
    """What somebody else does meanwhile."""
    done: Future[Any] = Future()

    def work() -> None:
        try:
            done.set_result(action())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return done


class Person:
    """Runs commands, and does with pages what a person would."""

    def __init__(self, oidc: OidcProvider, directory: Path) -> None:
        self.oidc = oidc
        self.directory = directory
        self.settings = LoginSettings(
            issuer=oidc.issuer, client_id="penstock-cli", scope="openid email groups offline_access query",
            ca_file=oidc.ca_file,
        )  # fmt: skip

    def changed(self, **changes: Any) -> LoginSettings:
        return LoginSettings.model_validate({**self.settings.model_dump(), **changes})

    def allow(self, line: str, user: str = "ada", **fields: str) -> None:
        """Say yes to a device whose line this is."""
        self.oidc.visitor().allow_device(line.split()[1], user, **fields)

    def returning(self, url: str, user: str = "ada", change: Callable[[str], str] = str) -> Any:
        """Log in on the page, and follow where it leads back to, changed; what is said there, later."""
        return in_thread(lambda: self.follow(change(self.oidc.visitor().sign_in(url, user))))

    def follow(self, url: str) -> tuple[int, str]:
        import httpx2

        answer = httpx2.get(url, trust_env=False)
        return answer.status_code, answer.text

    def login(self, *options: str) -> Result:
        settings = self.settings
        where = ["--issuer", settings.issuer, "--client-id", settings.client_id, "--ca-file", str(settings.ca_file)]
        return CliRunner().invoke(login.command, [*where, "--scope", settings.scope, *options])

    def status(self) -> Result:
        return CliRunner().invoke(login.command, ["--status"])

    def logout(self) -> Result:
        return CliRunner().invoke(login.logout, [])


@pytest.fixture
def ada(oidc: OidcProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    oidc.resource(RESOURCE, audience="penstock")
    oidc.client(
        "penstock-cli", redirect_uris=["http://127.0.0.1/callback"], resource=RESOURCE, application_type="native"
    )
    monkeypatch.setenv("PENSTOCK_CONFIG_DIR", str(tmp_path / "config"))
    return Person(oidc, tmp_path / "config")
