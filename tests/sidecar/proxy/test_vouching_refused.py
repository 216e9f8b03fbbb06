"""Contexts that are refused at a gate: each fails its transaction in one line, and nothing of it is in the trail."""

from __future__ import annotations

import base64
import time
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.sidecar.proxy.contexts import ALONE, TEXT, context, seen, set_local
from tests.sidecar.proxy.test_tokens import public_pem, shared_secret, unsigned

Start = Any


async def refused(session: Any, text: str) -> Any:
    with pytest.raises(psycopg.Error) as caught:
        await session.execute(text)
    return caught.value


def bad() -> dict[str, tuple[dict[str, Any], str]]:
    """The claims of each, as of now, and why it is refused."""
    return {
        "expired": ({"exp": int(time.time()) - 60, "iat": int(time.time()) - 120}, "has expired"),
        "not yet valid": ({"nbf": int(time.time()) + 60}, "not valid yet"),
        "a login's": ({"aud": "penstock"}, "its audience is not penstock-context"),
        "a login's as well": ({"aud": ["penstock", "penstock-context"]}, "several audiences of this gate"),
        "another issuer's": ({"iss": "https://other.example"}, "issuer is not one that is accepted"),
        "another pod's": ({"pod_uid": "u-2"}, "bound to another pod"),
        "an hour long": ({"exp": int(time.time()) + 3600}, "lives for more than 300 s"),
        "an agent's": ({"act": {"sub": "bot"}}, "names an agent"),
    }


@pytest.mark.parametrize("kind", bad())
async def test_a_bad_one_fails_its_transaction_in_one_line(running: Any, kind: str) -> None:
    claims, words = bad()[kind]
    async with await running.psycopg() as session:
        await session.execute("BEGIN")
        error = await refused(session, set_local(**claims))
        assert (error.sqlstate, words in str(error), error.diag.message_hint != "") == ("28000", True, True)
        assert error.diag.message_primary.startswith("penstock: the context is refused: ")
        assert (await refused(session, TEXT)).sqlstate == "25P02"
        await session.execute("ROLLBACK")
        assert await seen(session) == ALONE


def forged() -> dict[str, tuple[str, str]]:
    """Tokens as whoever has no key can make them, and why they are refused."""
    head, body, signature = context(groups=["dpo"]).split(".")
    claims = base64.urlsafe_b64decode(body + "==")
    other = context(groups=["dpo"], key=rsa.generate_private_key(public_exponent=65537, key_size=2048))
    return {
        "not signed": (unsigned(claims), "the token is not signed (alg none)"),
        "signed by the public key": (
            shared_secret("HS256", public_pem(), claims), "the token is signed with a shared secret (alg HS)"
        ),
        "of another key": (other, "the token's signature or claims are not valid"),
        "another's, with one's own claims": (
            f"{head}.{context(sub='eve').split('.')[1]}.{signature}", "the token's signature or claims are not valid"
        ),
    }  # fmt: skip


@pytest.mark.parametrize("kind", forged())
async def test_a_forged_one_fails_its_transaction_in_one_line(running: Any, kind: str) -> None:
    token, words = forged()[kind]
    async with await running.psycopg() as session:
        await session.execute("BEGIN")
        error = await refused(session, f"SET LOCAL penstock.context = '{token}'")
        assert (error.sqlstate, error.diag.message_primary) == ("28000", f"penstock: the context is refused: {words}")
        await session.execute("ROLLBACK")
        assert await seen(session) == ALONE
    assert token not in str(running.events())


FORMS = {
    "garbage": "SET LOCAL penstock.context = 'garbage'",
    "no signature": f"SET LOCAL penstock.context = '{unsigned(b'{}').ljust(70, 'x')}'",
    "the session": "SET penstock.context = '{token}'",
    "the default": "SET LOCAL penstock.context TO DEFAULT",
    "RESET": "RESET penstock.context",
    "SHOW": "SHOW penstock.context",
    "a reader": "SELECT current_setting('penstock.context', true)",
    "a role": "ALTER ROLE penstock SET penstock.context = '{token}'",
    "a database": "ALTER DATABASE contextual SET penstock.context = '{token}'",
    "a block": "DO $$BEGIN EXECUTE 'SET LOCAL penstock.context = ''{token}'''; END$$",
    "a function": "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET penstock.context = '{token}' AS 'SELECT 1'",
    "beside others": "SET LOCAL penstock.context = '{token}'; SELECT 1",
    "64 KB": "SET LOCAL penstock.context = '{long}'",
    "200 KB": "SET LOCAL penstock.context = '{long}{long}{long}'",
    "a name that is put together": "SELECT set_config('penstock' || '.context', '{token}', true)",
    "another name of the gate's": "SET LOCAL penstock.ticket = 'x'",
}


@pytest.mark.parametrize("form", FORMS)
async def test_other_forms_are_refused_and_nothing_of_them_is_in_the_trail(running: Any, form: str) -> None:
    token = context(groups=["dpo"])
    async with await running.psycopg() as session:
        await session.execute("BEGIN")
        await refused(session, FORMS[form].replace("{token}", token).replace("{long}", "t" * 65_536))
        await session.execute("ROLLBACK")
        assert await seen(session) == ALONE
    assert token not in str(running.events())
