"""`penstock login` and `penstock logout`: the person at the keyboard becomes known to an issuer, or is forgotten.

What doesn't belong: what is said with the issuer (`issuer.py`), what is kept (`kept.py`).
"""

from __future__ import annotations

import os
import sys
import time
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstock_cli.failures import Unusable

if TYPE_CHECKING:
    from penstock_cli.client_settings import LoginSettings
    from penstock_cli.login.issuer import Granted, Issuer


@click.command(name="login")
@click.option("--issuer", metavar="URL", help="The issuer, exactly as it calls itself.")
@click.option("--client-id", help="What the issuer knows this command as.")
@click.option("--scope", help="What to ask for.  [default: openid offline_access]")
@click.option("--token", type=click.Choice(["access", "id"]), help="Which token gates take.  [default: access]")
@click.option("--resource", help="What the token is to be for, as RFC 8707 has it.")
@click.option("--audience", help="What the token is to be for, where the issuer wants that name.")
@click.option(
    "--ca-file", type=click.Path(path_type=Path, dir_okay=False, resolve_path=True),
    help="The CAs to trust instead of the system's.",
)  # fmt: skip
@click.option("--device/--browser", default=None, help="On any device, or in a browser here.  [default: as it looks]")
@click.option("--status", is_flag=True, help="Only say who is logged in, and for how long.")
def command(device: bool | None, status: bool, **given: Any) -> None:
    """Log in to the issuer whose tokens your gates take, for `penstock connect`.

    What is not given comes from `login` in config.yaml (docs/connect.md). What you get is kept in a file beside it that
    you alone may read, and renewed while the issuer lets it.

    \b
    Status 0: you are logged in
           1: you are not (--status)
           2: the issuer can't be reached, or refuses, or an option is wrong
    """
    if status:
        sys.exit(_status())
    from penstock_cli.login import browser, kept  # noqa: PLC0415 # `--help` needs no HTTP
    from penstock_cli.login import device as devices  # noqa: PLC0415 # likewise
    from penstock_cli.login.issuer import Issuer  # noqa: PLC0415 # likewise

    settings = _settings({name: value for name, value in given.items() if value is not None})
    with Issuer(settings) as issuer:
        if _on_any_device(device, issuer, os.environ):
            granted, nonce = devices.logged_in(issuer, _tell), None
        else:
            granted, nonce = browser.logged_in(issuer, _tell, webbrowser.open)
        name = _name(issuer, granted, nonce)
    login = kept.Login(settings, granted, name)
    kept.keep(login)
    renewed = "is renewed after that" if granted.refresh else "can't be renewed (ask for the scope offline_access)"
    click.echo(f"logged in as {name}; the token is good for {_for(login.expires)}, and {renewed}", err=True)


@click.command(name="logout")
def logout() -> None:
    """Forget your login, here and at the issuer."""
    from penstock_cli.login import kept  # noqa: PLC0415 # as above
    from penstock_cli.login.issuer import Issuer  # noqa: PLC0415 # as above

    found = kept.read()
    kept.forget()
    if found is None:
        click.echo("you were not logged in", err=True)
        return
    if found.granted.refresh:
        with Issuer(found.settings) as issuer:
            try:
                issuer.revoke(found.granted.refresh)
            except Unusable as error:
                raise Unusable(f"forgotten here, but not at the issuer: {error.message}") from None
    click.echo("logged out; sessions that are open go on to the end of their token", err=True)


def _status() -> int:
    from penstock_cli.login import kept  # noqa: PLC0415 # as above

    found = kept.read()
    if found is None:
        click.echo("not logged in")
        return 1
    left, renewable = found.expires - time.time(), bool(found.granted.refresh)
    click.echo(f"{found.name} at {found.settings.issuer}")
    if left > 0:
        click.echo(f"the {found.settings.token} token is good for {_for(found.expires)}")
    else:
        click.echo(f"the {found.settings.token} token has expired")
    click.echo("it is renewed when it is needed" if renewable else "it can't be renewed: log in again then")
    return 0 if left > 0 or renewable else 1


def _settings(given: Mapping[str, Any]) -> LoginSettings:
    """What is given, and what the file says of the same issuer, or of the only one that it knows. Raises Unusable."""
    from penstock_cli import client_settings  # noqa: PLC0415 # as above

    known = client_settings.read().login
    same = known is not None and given.get("issuer", known.issuer) == known.issuer
    values = {**(known.model_dump(exclude_none=True) if known is not None and same else {}), **given}
    for name, option in {"issuer": "--issuer URL", "client_id": "--client-id ID"}.items():
        if not values.get(name):
            file = client_settings.directory() / client_settings.FILE
            raise Unusable(f"give {option}, or say it under login in {file}")
    return client_settings.checked(client_settings.LoginSettings, values, "penstock login")


def _on_any_device(wish: bool | None, issuer: Issuer, environment: Mapping[str, str]) -> bool:
    """Whether to use the device flow: as was asked for, or where there seems to be no browser."""
    if wish is not None:
        return wish
    if not issuer.endpoint("device_authorization_endpoint"):
        return False
    remote = "SSH_CONNECTION" in environment or "SSH_TTY" in environment
    screen = sys.platform == "darwin" or "DISPLAY" in environment or "WAYLAND_DISPLAY" in environment
    return remote or not screen or not issuer.endpoint("authorization_endpoint")


def _name(issuer: Issuer, granted: Granted, nonce: str | None) -> str:
    """Who it is, by the ID token, which is verified. Raises Unusable."""
    from penstock_cli.terminal_text import printable  # noqa: PLC0415 # as above

    if not granted.id_token:
        if nonce is not None and "openid" in issuer.settings.scope.split():
            raise Unusable("the issuer gives no ID token, so that it can't be told whose login it is")
        if issuer.settings.token == "id":  # noqa: S105 - a choice
            raise Unusable("the issuer gives no ID token: ask for the scope openid")
        return "somebody"
    claims = issuer.who(granted.id_token, nonce)
    return printable(str(claims.get("email") or claims.get("preferred_username") or claims["sub"]))[:200]


def _for(expires: float) -> str:
    left = max(0, int(expires - time.time()))
    return f"{left // 3600} h {left % 3600 // 60} min" if left >= 3600 else f"{left // 60} min {left % 60} s"


def _tell(line: str) -> None:
    click.echo(line, err=True)
