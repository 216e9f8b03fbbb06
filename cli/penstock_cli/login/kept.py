"""What a login gave, kept in a file that its owner alone may read, and refreshed when it is about to end.

One login at a time. What doesn't belong: how one logs in (`browser.py`, `device.py`).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt

from penstock_cli.client_settings import LoginSettings, checked, directory
from penstock_cli.failures import Unusable
from penstock_cli.login.issuer import Granted, Issuer, RefusedError

FILE = "login.json"
# A token that ends sooner is renewed first: a session, and a ticket, should get some good of it.
_SOON_SECONDS = 60.0
LOG_IN = "log in with `penstock login`"


class NotLoggedInError(Unusable):
    """There is no token that is good; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who is logged in where, and with what."""

    settings: LoginSettings
    granted: Granted
    # Who it is to the issuer, for the person to read; it decides nothing.
    name: str

    @property
    def token(self) -> str:
        """The one that gates take."""
        return self.granted.id_token if self.settings.token == "id" else self.granted.access  # noqa: S105 - a choice

    @property
    def expires(self) -> float:
        """When that one ends, as far as can be told."""
        try:
            claims = jwt.decode(self.token, options={"verify_signature": False})
            return float(claims["exp"])
        except (jwt.PyJWTError, KeyError, TypeError, ValueError):
            return self.granted.expires


def read() -> Login | None:
    """The login that is kept, if there is one. Raises Unusable."""
    path = directory() / FILE
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise Unusable(f"{path}: others may read it: chmod 600, and log in again if they may have")
            values = json.load(file)
        settings = checked(LoginSettings, values["login"], str(path))
        access, id_token, refresh = (str(values[name]) for name in ("access", "idToken", "refresh"))
        granted = Granted(access, id_token, refresh, float(values["expires"]))
        return Login(settings, granted, str(values["name"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from None
    except (ValueError, LookupError, TypeError):
        raise Unusable(f"{path} holds no login: {LOG_IN}") from None


def keep(login: Login) -> None:
    """Keep a login in place of the one before. Raises Unusable."""
    granted = login.granted
    values: dict[str, Any] = {
        "login": login.settings.model_dump(mode="json", by_alias=True, exclude_none=True), "name": login.name,
        "access": granted.access, "idToken": granted.id_token, "refresh": granted.refresh, "expires": granted.expires,
    }  # fmt: skip
    path = directory() / FILE
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_name(f"{FILE}.{os.getpid()}.new")
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123 - with its mode
            json.dump(values, file)
        new.replace(path)
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from None


def forget() -> None:
    """Keep no login. Raises Unusable."""
    path = directory() / FILE
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from None


def good() -> Login:
    """A login whose token is good for a while, renewed if need be. Raises NotLoggedInError and Unusable."""
    found = read()
    if found is None:
        raise NotLoggedInError(f"you are not logged in: {LOG_IN}")
    if found.expires - time.time() > _SOON_SECONDS:
        return found
    # Of two commands at once, one asks: many issuers take a refresh token once.
    with _alone():
        found = read()
        if found is None:
            raise NotLoggedInError(f"you are not logged in: {LOG_IN}")
        left = found.expires - time.time()
        if left > _SOON_SECONDS:
            return found
        if not found.granted.refresh:
            if left > 0:
                return found
            raise NotLoggedInError(f"your token has expired, and there is none to renew it by: {LOG_IN}")
        return _renewed(found)


def _renewed(login: Login) -> Login:
    grant = {"grant_type": "refresh_token", "refresh_token": login.granted.refresh}
    with Issuer(login.settings) as issuer:
        wanted = {name: value for name, value in issuer.wanted().items() if name != "scope"}
        try:
            granted = issuer.tokens({**grant, **wanted}, login.granted.refresh)
        except RefusedError as error:
            if error.code != "invalid_grant":
                raise
            raise NotLoggedInError(f"your login has ended at the issuer: {LOG_IN}") from None
    if not granted.id_token:
        granted = Granted(granted.access, login.granted.id_token, granted.refresh, granted.expires)
    renewed = Login(login.settings, granted, login.name)
    if renewed.expires <= time.time():
        raise NotLoggedInError(
            f"the issuer renews its {login.settings.token} token with one that has expired: {LOG_IN}"
        )
    keep(renewed)
    return renewed


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    path = Path(directory() / f"{FILE}.lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
