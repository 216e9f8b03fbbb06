"""The resource `Database`: the safe way to connect unless told otherwise, and which columns bear which tag."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from penstock_core.resources.database import Database, Tls

SPEC: dict[str, Any] = {"host": "db", "dbname": "shop", "credentialsSecretRef": {"name": "shop-db"}}


def database(**more: object) -> Database:
    return Database.model_validate({"metadata": {"name": "shop"}, "spec": {**SPEC, **more}})


def test_left_out_the_server_must_prove_that_it_is_the_host() -> None:
    spec = database().spec
    assert (spec.port, spec.tls.mode, spec.tls.ca_secret_ref) == (5432, "verify-full", None)


@pytest.mark.parametrize("mode", ["allow", "prefer", "verify", ""])
def test_no_mode_falls_back_to_plain_text_without_a_word(mode: str) -> None:
    with pytest.raises(ValidationError):
        Tls.model_validate({"mode": mode})


def test_an_authority_that_nobody_asks_is_a_mistake() -> None:
    authority = {"caSecretRef": {"name": "ca"}}
    for mode in ("disable", "require"):
        with pytest.raises(ValidationError, match="caSecretRef is only used by"):
            Tls.model_validate({"mode": mode, **authority})
    for mode in ("verify-ca", "verify-full"):
        found = Tls.model_validate({"mode": mode, **authority}).ca_secret_ref
        assert found is not None
        assert (found.name, found.key) == ("ca", "ca.crt")


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "db:5432"},
        {"host": "postgres://db"},
        {"port": 0},
        {"port": 65536},
        {"dbname": "x" * 64},
        {"dbname": "a\nb"},
        {"credentialsSecretRef": {}},
        {"password": "hunter2"},
        {"classification": [{"columns": [], "tag": "pii"}]},
        {"classification": [{"columns": ["*.*.a", "*.*.a"], "tag": "pii"}]},
        {"classification": [{"columns": ["*.*.a"], "tag": "PII"}]},
    ],
)
def test_what_is_no_database(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        database(**wrong)


@pytest.mark.parametrize("host", ["db", "db.shop.svc.", "10.0.0.1", "::1", "fe80::1", "Shop_DB-1"])
def test_hosts(host: str) -> None:
    assert database(host=host).spec.host == host


def test_columns_by_their_tags() -> None:
    found = database(
        classification=[
            {"columns": ["*.*.email", "public.u.mail"], "tag": "pii.email"},
            {"columns": ["public.pay.card"], "tag": "pci"},
            {"columns": ["public.u.mail", "public.u.second"], "tag": "pii.email"},
        ]
    )
    assert found.columns_tagged("pii.email") == ("*.*.email", "public.u.mail", "public.u.second")
    assert found.columns_tagged("pii") == ()
    assert found.tags == ("pci", "pii.email")
