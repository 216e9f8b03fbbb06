"""What is kept of a login: for its owner alone, renewed in time, by one command at once, and forgotten."""

from __future__ import annotations

import json
import stat
import time
from typing import Any

import jwt
import pytest
from tests.cli.login.conftest import Person, in_thread
from tests.cli.login.test_device import logged_in
from tests.oidc_provider.provider import Instead

from penstock_cli.failures import Unusable
from penstock_cli.login import kept
from penstock_cli.login.issuer import Granted
from penstock_cli.login.kept import Login, NotLoggedInError


def granted(ada: Person) -> Granted:
    return logged_in(ada, lambda line, _: ada.allow(line))[0]


def keep(ada: Person, given: Granted | None = None, **changes: Any) -> Login:
    login = Login(ada.changed(**changes), given or granted(ada), "ada")
    kept.keep(login)
    return login


def ended(given: Granted, refresh: str | None = None) -> Granted:
    """The same with an access token that has ended."""
    return Granted("opaque", "", given.refresh if refresh is None else refresh, time.time() - 1)


def test_it_is_kept_for_its_owner_alone(ada: Person) -> None:
    login = keep(ada)
    assert kept.read() == login
    (file,) = [path for path in ada.directory.iterdir() if path.name == "login.json"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(ada.directory.stat().st_mode) == 0o700
    assert list(ada.directory.iterdir()) == [file], "nothing else is left"
    for secret in (login.granted.access, login.granted.refresh, login.granted.id_token):
        assert secret not in repr(login)


def test_a_file_that_others_may_read_is_not_used(ada: Person) -> None:
    keep(ada)
    (ada.directory / "login.json").chmod(0o640)
    with pytest.raises(Unusable, match="others may read it: chmod 600"):
        kept.good()


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"login": {"issuer": "http://x", "clientId": "c"}}', "\xff"])
def test_a_file_that_holds_no_login(ada: Person, text: str) -> None:
    ada.directory.mkdir()
    (ada.directory / "login.json").write_text(text, encoding="latin-1")
    (ada.directory / "login.json").chmod(0o600)
    with pytest.raises(Unusable, match=r"holds no login|must be an https"):
        kept.good()


def test_what_is_good_is_not_renewed(ada: Person) -> None:
    login = keep(ada)
    asked = ada.oidc.asked("/token")
    assert kept.good() == login
    assert ada.oidc.asked("/token") == asked


def test_what_is_about_to_end_is_renewed(ada: Person) -> None:
    first = granted(ada)
    keep(ada, ended(first))
    ada.oidc.user("ada", groups=["owners"])
    login = kept.good()
    assert jwt.decode(login.token, options={"verify_signature": False})["groups"] == ["owners"]
    assert login.expires > time.time() + 300
    assert kept.read() == login
    assert login.granted.refresh != first.refresh, "this issuer gives a new one each time"
    assert kept.good() == login


def test_of_several_commands_at_once_one_renews(ada: Person) -> None:
    keep(ada, ended(granted(ada)))
    asked = ada.oidc.asked("/token")
    waiting = [in_thread(kept.good) for _ in range(4)]
    tokens = {one.result(20).token for one in waiting}
    assert len(tokens) == 1
    assert ada.oidc.asked("/token") == asked + 1


def test_the_id_token_where_gates_take_that(ada: Person) -> None:
    login = keep(ada, token="id")
    assert login.token == login.granted.id_token
    claims = jwt.decode(login.token, options={"verify_signature": False})
    assert (login.expires, claims["aud"]) == (claims["exp"], "penstock-cli")
    keep(ada, Granted("a", ada.oidc.sign({"exp": 5}), login.granted.refresh, time.time() + 600), token="id")
    assert kept.good().expires > time.time(), "it is renewed by its own end, not the access token's"


def test_who_can_not_be_renewed_has_to_log_in(ada: Person) -> None:
    with pytest.raises(NotLoggedInError, match="you are not logged in: log in with `penstock login`"):
        kept.good()
    given = granted(ada)
    keep(ada, ended(given, refresh=""))
    with pytest.raises(NotLoggedInError, match="your token has expired, and there is none to renew it by"):
        kept.good()
    keep(ada, ended(given, refresh="unknown"))
    with pytest.raises(NotLoggedInError, match="your login has ended at the issuer"):
        kept.good()
    ada.oidc.instead("/token", Instead(json.dumps({"error": "server_error"}), 500))
    with pytest.raises(Unusable, match="the issuer refuses: server_error"):
        kept.good()


def test_a_token_without_a_refresh_token_is_used_to_its_end(ada: Person) -> None:
    keep(ada, Granted("opaque", "", "", time.time() + 30))
    assert kept.good().token == "opaque"


def test_an_issuer_that_renews_with_what_has_expired(ada: Person) -> None:
    keep(ada, ended(granted(ada)), token="id")
    ada.oidc.token_answers["id_token"] = ada.oidc.sign({"sub": "ada", "exp": 5})
    ada.oidc.apply()
    with pytest.raises(NotLoggedInError, match="renews its id token with one that has expired"):
        kept.good()
