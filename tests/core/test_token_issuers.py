"""Issuers as they are configured: by either name of a setting, there and back. What they can't be is with settings."""

from __future__ import annotations

import pytest
import trustme
from pydantic import ValidationError

from penstock_core.token_issuers import TokenIssuer

WRITTEN = {
    "issuer": "https://login.example", "audience": "penstock", "kind": "person", "groupsClaim": "realm_access.roles",
    "kindClaim": "idtyp", "kinds": [{"value": "app", "kind": "service"}],
    "delegation": {"agents": ["bot"], "groupsClaim": "teams"},
}  # fmt: skip


def test_what_is_written_comes_back_as_it_was() -> None:
    issuer = TokenIssuer.model_validate(WRITTEN)
    assert issuer.model_dump(mode="json", by_alias=True, exclude_unset=True) == WRITTEN


def test_either_name_of_a_setting_counts_and_not_both() -> None:
    named = {"issuer": "https://i", "audience": "a", "kind": "person", "groups_claim": "roles"}
    assert TokenIssuer.model_validate(named).groups_claim == "roles"
    with pytest.raises(ValidationError):
        TokenIssuer.model_validate(named | {"groupsClaim": "teams"})


AUTHORITY = trustme.CA().cert_pem.bytes().decode()


def test_an_authority_is_written_out_where_there_are_no_files() -> None:
    written = WRITTEN | {"ca": AUTHORITY + AUTHORITY}
    assert TokenIssuer.model_validate(written).model_dump(mode="json", by_alias=True, exclude_unset=True) == written


NO_AUTHORITY: dict[str, dict[str, object]] = {
    "a file's name": {"ca": "login-ca.crt"},
    "no certificate": {"ca": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
    "not in ASCII": {"ca": AUTHORITY + "# für alle"},
    "a private key": {"ca": AUTHORITY + "-----BEGIN PRIVATE KEY-----"},
    "too long": {"ca": AUTHORITY * 40},
    "two authorities": {"ca": AUTHORITY, "caFile": "ca.crt"},
    "where nothing is fetched": {"ca": AUTHORITY, "jwksFile": "keys.json"},
}


@pytest.mark.parametrize("change", NO_AUTHORITY.values(), ids=NO_AUTHORITY)
def test_an_authority_that_can_not_be(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TokenIssuer.model_validate(WRITTEN | change)


CONTEXT = {"issuer": "https://login.example", "audience": "penstock-context", "kind": "person"}


def test_an_issuer_of_contexts_comes_back_as_it_was() -> None:
    written = {**CONTEXT, "context": {"maxLifetimeSeconds": 60, "singleUse": True, "boundTo": ["podUid"]}}
    assert TokenIssuer.model_validate(written).model_dump(mode="json", by_alias=True, exclude_unset=True) == written


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "service"}, {"delegation": {"agents": ["bot"]}}, {"context": {"maxLifetimeSeconds": 3601}},
        {"context": {"boundTo": ["node"]}},
    ],
)  # fmt: skip
def test_contexts_name_people_for_a_short_time(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TokenIssuer.model_validate({**CONTEXT, "context": {}, **change})


@pytest.mark.parametrize("change", [{"groupClaim": "x"}, {"kind": "robot"}, {"jwksUrl": "http://i/keys"}])
def test_a_slip_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TokenIssuer.model_validate(WRITTEN | change)
